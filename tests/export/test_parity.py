"""Parity finds a difference in every output, and in HC, and a number that is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from export.parity import FP16, FP32, Arrays, ParityFrame, check_parity, onnx_run
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox
from tests.calibration.small import conv_onnx, head


def frames() -> tuple[ParityFrame, ...]:
    letterbox = Letterbox(Roi.full((96, 128)), 64)
    return tuple(
        ParityFrame(letterbox.forward(head(seed)[0])[None, None], letterbox, spacing)
        for seed, spacing in ((1, 0.5), (2, 0.5), (3, None))
    )


def changed(change: Callable[[Arrays], None]) -> Callable[..., Arrays]:
    run = onnx_run(conv_onnx())

    def spoiled(square: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Arrays:
        outputs = {name: values.copy() for name, values in run(square).items()}
        change(outputs)
        return outputs

    return spoiled


def test_a_model_is_on_a_par_with_itself() -> None:
    run = onnx_run(conv_onnx())
    rows = check_parity("a model and itself", run, run, frames(), FP32)
    assert [row.worst for row in rows] == pytest.approx([1, 0, 0, 1, 0])
    assert [row.n for row in rows] == [3, 3, 3, 2, 2]


def shifted(outputs: Arrays) -> None:
    outputs["mask"] = np.roll(outputs["mask"], 1, axis=3)


def larger(outputs: Arrays) -> None:
    # below the limit for logits, but the whole outline moves outwards
    outputs["mask"] += 0.45


def turned(outputs: Arrays) -> None:
    outputs["embedding"][0, 0] += 0.05


def no_number(outputs: Arrays) -> None:
    outputs["plane"][0, 0] = np.nan


def no_head(outputs: Arrays) -> None:
    outputs["mask"][:] = -5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (shifted, "mask logit difference"),
        (turned, "embedding cosine"),
        (no_number, "plane logit difference nan"),
        (no_head, "HC difference in mm inf"),
    ],
)
def test_each_difference_is_found(change: Callable[[Arrays], None], words: str) -> None:
    reference = onnx_run(conv_onnx())
    with pytest.raises(CheckFailedError, match=words) as caught:
        check_parity("a model and another", reference, changed(change), frames(), FP16)
    assert "nothing was written" in str(caught.value)
    assert caught.value.exit_code == 5


def test_the_table_holds_hc_in_mm() -> None:
    loose = FP16.__class__(0.0, 1e9, 1e9, 0.0, 1e9)
    rows = check_parity("two", onnx_run(conv_onnx()), changed(larger), frames(), loose)
    hc = next(row for row in rows if row.figure == "HC difference in mm")
    assert 0.01 < hc.worst < 2.0
