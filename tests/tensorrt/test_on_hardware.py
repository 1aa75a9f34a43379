"""The real thing, where there is a GPU with TensorRT: built, compared, run, and released."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.frame import Frame
from fetalclip_edge.tensorrt.target import read_target
from tests.conformance.cart_bundle import cart_bundle

HERE = read_target()
pytestmark = [
    pytest.mark.tensorrt,
    pytest.mark.skipif(
        HERE.tensorrt is None or HERE.compute_capability is None,
        reason="needs an NVIDIA GPU, cuda-python and TensorRT: nothing was built or run",
    ),
]


def test_a_real_engine_says_what_onnx_runtime_says(tmp_path: Path) -> None:
    from fetalclip_edge.model import Model
    from fetalclip_edge.tensorrt.build import build

    bundle = cart_bundle(tmp_path / "bundle")
    built = build(bundle, Precision.FP32, Console(stderr=True), workspace_mb=256)
    assert all(outcome.passed for outcome in built.outcomes)
    assert built.engine.sidecar.target == HERE
    frame = Frame(np.random.default_rng(0).integers(0, 256, (96, 128), np.uint8))
    said = []
    for backend in Backend:
        with Model(bundle.folder, backend=backend, precision=Precision.FP32) as model:
            said.append(model.session().process(frame, want_masks=True))
    np.testing.assert_allclose(said[0].embedding, said[1].embedding, atol=1e-3)
    scores = [[score for _, score in found.plane.scores] for found in said if found.plane]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)
