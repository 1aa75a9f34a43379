"""What rounding the weights does to the mean of a channel is made up for by its bias."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from calibration.bias import with_corrected_biases
from calibration.frames import CalibrationSet
from calibration.graph import watched_session
from calibration.ranges import compute_ranges
from tests.calibration.small import SIDE, WIDTH, chain_onnx

STEPS = 7  # coarse, so that rounding shows


def with_rounded_weights(model: onnx.ModelProto, *names: str) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for item in made.graph.initializer:
        if item.name in names:
            kernel = numpy_helper.to_array(item)
            scale = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / STEPS
            rounded = (np.rint(kernel / scale) * scale).astype(np.float32)
            item.CopyFrom(numpy_helper.from_array(rounded, item.name))
    return made


def gray(level: int) -> NDArray[np.uint8]:
    return np.full((1, 1, SIDE, SIDE), level, np.uint8)


def means(model: onnx.ModelProto, squares: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    chosen = CalibrationSet(squares, ("",) * len(squares), (), ())
    kept = compute_ranges(model, "0" * 64, chosen).means
    return {item.name: np.array(item.values) for item in kept}


def values_of(model: onnx.ModelProto, name: str, square: NDArray[np.uint8]) -> NDArray[np.float32]:
    (values,) = watched_session(model, (name,)).run([name], {"frame": square})
    inner: NDArray[np.float32] = np.asarray(values)[..., 2:-2, 2:-2]  # not the padded edge
    return inner


@pytest.mark.parametrize("groups", [1, 2, WIDTH])
def test_on_a_constant_frame_nothing_of_the_rounding_is_left(groups: int) -> None:
    model = chain_onnx(groups=groups)
    found = means(model, gray(20))
    # the mean over the whole tensor holds the padded edge; a constant one has none
    found["r"] = values_of(model, "r", gray(20)).mean(axis=(0, 2, 3), dtype=np.float64)
    plain = with_rounded_weights(model, "w1", "w2")
    fixed = with_rounded_weights(
        with_corrected_biases(model, found, {"first", "second"}, STEPS), "w1", "w2"
    )
    want = values_of(model, "mask", gray(20))
    scale = np.abs(want).max()
    assert np.abs(values_of(plain, "mask", gray(20)) - want).max() > 0.01 * scale
    np.testing.assert_allclose(values_of(fixed, "mask", gray(20)), want, atol=1e-5 * scale)


def test_a_layer_that_stays_in_floating_point_keeps_its_bias() -> None:
    model = chain_onnx()
    made = with_corrected_biases(model, means(model, gray(20)), {"first"}, STEPS)
    biases = {node.name: node.input[2] for node in made.graph.node if node.op_type == "Conv"}
    assert biases == {"first": "b1_of_first", "second": "b2"}
    onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])


def test_the_mean_is_that_of_the_frames() -> None:
    squares = np.concatenate([gray(0), gray(255)])
    (mean,) = means(chain_onnx(), squares)["x"]
    assert mean == pytest.approx(0.0, abs=1e-6)  # -127.5 / 64 and 127.5 / 64
