"""Heads by their role, never by their name; and what a broken network may not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import ClassificationHead
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.frame import Frame
from fetalclip_edge.result import Result
from fetalclip_edge.runners.base import Outputs
from fetalclip_edge.runners.scripted import ScriptedRunner
from fetalclip_edge.session import Session
from tests.bundle.builder import head_image, head_outputs, tiny_bundle

SUB_PLANES = ClassificationHead(
    name="brain sub-plane",
    output="sub",
    classes=("trans-thalamic", "trans-cerebellum"),
    valid_planes=("brain",),
)


def process(bundle: Bundle, outputs: Outputs) -> Result:
    with ScriptedRunner([outputs]) as runner:
        return Session(bundle, runner).process(Frame(head_image()))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """The tiny bundle with a head of sub-planes, which stands first and has another name."""
    tiny = tiny_bundle(tmp_path / "b")
    plane, *others = tiny.manifest.heads
    heads = (SUB_PLANES, plane.model_copy(update={"name": "view of the fetus"}), *others)
    return Bundle(tiny.folder, tiny.manifest.model_copy(update={"heads": heads}), tiny.digest)


@pytest.mark.parametrize(("best", "heads"), [(0, 2), (3, 1)])
def test_sub_planes_are_told_on_their_plane_alone(bundle: Bundle, best: int, heads: int) -> None:
    plane = np.zeros((1, 6), np.float32)
    plane[0, best] = 9.0
    sub = np.array([[0.0, 5.0]], np.float32)
    result = process(bundle, {**head_outputs(), "plane": plane, "sub": sub})
    assert result.plane is not None
    assert result.plane.head == "view of the fetus"
    assert len(result.classifications) == heads
    if heads == 2:
        assert result.classifications[1].kind == "brain sub-plane"
        assert result.classifications[1].label == "trans-cerebellum"


@pytest.mark.parametrize("name", ["plane", "mask", "embedding"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_end_the_run(tmp_path: Path, name: str, value: float) -> None:
    outputs = {key: array.copy() for key, array in head_outputs().items()}
    outputs[name].flat[0] = value
    with pytest.raises(CheckFailedError, match=f"model output '{name}'"):
        process(tiny_bundle(tmp_path / "b"), outputs)
