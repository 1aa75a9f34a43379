"""Ranges by each method against numbers worked out by hand, and the file they are kept in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from calibration.frames import CalibrationSet
from calibration.graph import prepared
from calibration.ranges import Method, Ranges, compute_ranges, load_ranges, ranges_path
from fetalclip_edge.errors import InputError
from tests.calibration.small import conv_onnx

MODEL_SHA = "a" * 64


def some_set(*, spike: int = 255) -> CalibrationSet:
    squares = np.full((3, 1, 64, 64), 96, np.uint8)
    squares[0, 0, :32] = 160
    squares[1, 0, 0, 0] = spike
    return CalibrationSet(squares, ("a", "b", "c"), (), ())


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return prepared(conv_onnx())


@pytest.fixture(scope="module")
def ranges(model: onnx.ModelProto) -> Ranges:
    return compute_ranges(model, MODEL_SHA, some_set())


def test_min_max_is_that_of_the_frames(ranges: Ranges) -> None:
    usual = next(t for t in ranges.tensors if t.name == "usual")
    # (96 - 128) / 16 and (255 - 128) / 16
    assert usual.by(Method.MIN_MAX) == pytest.approx((-2.0, 7.9375))


def test_a_percentile_leaves_a_lone_pixel_out(ranges: Ranges) -> None:
    low, high = next(t for t in ranges.tensors if t.name == "usual").by(Method.PERCENTILE)
    # 1 of 12,288 values is 255: more than 0.005 %, so it stays; the bins are 7.9375 / 1024 wide
    assert low == pytest.approx(-2.0, abs=0.02)
    assert high == pytest.approx(7.9375, abs=0.02)


def test_every_range_lies_within_min_max(ranges: Ranges) -> None:
    for tensor in ranges.tensors:
        low, high = tensor.min_max
        for method in Method:
            begin, end = tensor.by(method)
            assert begin <= end
            assert begin >= min(low, -high) - 1e-6
            assert end <= max(high, -low) + 1e-6


def test_every_float_tensor_of_the_graph_has_a_range(
    model: onnx.ModelProto, ranges: Ranges
) -> None:
    made = {name for node in model.graph.node for name in node.output}
    assert {tensor.name for tensor in ranges.tensors} == made


def test_the_same_frames_give_the_same_bytes(model: onnx.ModelProto, ranges: Ranges) -> None:
    again = compute_ranges(model, MODEL_SHA, some_set())
    assert again.model_dump_json() == ranges.model_dump_json()


def test_ranges_are_kept_by_model_and_set(tmp_path: Path, ranges: Ranges) -> None:
    path = ranges_path(tmp_path, MODEL_SHA, ranges.set_sha256)
    assert load_ranges(path, MODEL_SHA, ranges.set_sha256) is None
    path.write_text(ranges.model_dump_json())
    assert load_ranges(path, MODEL_SHA, ranges.set_sha256) == ranges
    with pytest.raises(InputError, match="those of others"):
        load_ranges(path, "b" * 64, ranges.set_sha256)
    assert some_set(spike=200).sha256 != ranges.set_sha256


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 1, "frames": NaN}', "\x00"])
def test_another_file_in_its_place_is_an_input_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ranges.json"
    path.write_text(text)
    with pytest.raises(InputError, match="computed again"):
        load_ranges(path, MODEL_SHA, "0" * 64)
