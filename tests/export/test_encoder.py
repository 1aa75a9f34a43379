"""The encoder of a bundle alone, and names that timm does not know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.encoder import bundle_encoder, timm_encoder
from fetalclip_edge.bundle.load import default_bundle_path
from fetalclip_edge.errors import UsageError
from fetalclip_edge.runners.any_onnx import AnyOnnx


def test_a_bundles_encoder_gives_its_embedding_without_the_mask(tmp_path: Path) -> None:
    import onnxruntime

    whole = (default_bundle_path() / "model.fp32.onnx").read_bytes()
    part = bundle_encoder(whole)
    assert len(part) < len(whole)
    frame = np.random.default_rng(0).integers(0, 256, (1, 1, 256, 256)).astype(np.uint8)
    got = onnxruntime.InferenceSession(part).run(None, {"frame": frame})
    want = onnxruntime.InferenceSession(whole).run(["embedding"], {"frame": frame})
    assert len(got) == 1
    np.testing.assert_allclose(got[0], want[0], atol=1e-5)
    path = tmp_path / "part.onnx"
    path.write_bytes(part)
    AnyOnnx(path).run()


def test_an_encoder_that_timm_lacks_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="a name that timm knows"):
        timm_encoder("no_such_net", 64)
