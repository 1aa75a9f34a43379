"""Bytes that only move: the same numbers bit by bit, by other nodes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from calibration.moves import plain_moves
from calibration.rewrite import rewritten
from tests.calibration.small import network, run

HEIGHT, WIDTH, CHANNELS = 6, 10, 3
NEAREST = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


def quantized_onnx(
    *,
    offset: float = 128.0,
    zero: np.uint8 | np.int8 = np.uint8(128),  # noqa: B008  (a number)
    output_scale: str = "c_scale",
    factors: tuple[float, float, float, float] = (1.0, 1.0, 2.0, 2.0),
    resize: dict[str, str] = NEAREST,
) -> onnx.ModelProto:
    """frame -> gray levels -> Q/DQ -> Conv -> Q/DQ -> Resize -> Q/DQ -> map."""
    generator = np.random.default_rng(0)
    held = {
        "offset": np.float32(offset),
        "divisor": np.float32(64),
        "x_scale": np.float32(1 / 64),
        "x_zero": zero,
        "w": generator.normal(size=(CHANNELS, 1, 1, 1)).astype(np.float32),
        "c_scale": np.float32(0.1),
        "c_zero": np.uint8(100),
        "u_scale": np.float32(0.2),
        "factors": np.array(factors, np.float32),
    }
    node = onnx.helper.make_node
    nodes = [
        node("Cast", ["frame"], ["f"], "cast", to=onnx.TensorProto.FLOAT),
        node("Sub", ["f", "offset"], ["centred"], "sub"),
        node("Div", ["centred", "divisor"], ["x"], "div"),
        node("QuantizeLinear", ["x", "x_scale", "x_zero"], ["xq"], "x_q"),
        node("DequantizeLinear", ["xq", "x_scale", "x_zero"], ["xd"], "x_dq"),
        node("Conv", ["xd", "w"], ["c"], "conv"),
        node("QuantizeLinear", ["c", "c_scale", "c_zero"], ["cq"], "c_q"),
        node("DequantizeLinear", ["cq", "c_scale", "c_zero"], ["cd"], "c_dq"),
        node("Resize", ["cd", "", "factors"], ["u"], "resize", **resize),
        node("QuantizeLinear", ["u", output_scale, "c_zero"], ["uq"], "u_q"),
        node("DequantizeLinear", ["uq", output_scale, "c_zero"], ["map"], "u_dq"),
    ]
    return network(nodes, held, output="map", size_chw=(1, HEIGHT, WIDTH))


def with_plain_moves(model: onnx.ModelProto) -> onnx.ModelProto:
    return rewritten(model, plain_moves())


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def assert_same(made: onnx.ModelProto, model: onnx.ModelProto, frame: NDArray[np.uint8]) -> None:
    (found,), (wanted,) = (run(each, frame, optimize=True) for each in (made, model))
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("factors", [(2.0, 2.0), (1.0, 3.0), (4.0, 1.0)])
def test_every_byte_arrives_as_before(factors: tuple[float, float]) -> None:
    model = quantized_onnx(factors=(1.0, 1.0, *factors))
    made = with_plain_moves(model)
    onnx.checker.check_model(made, full_check=True)
    left = operators(made)
    assert not {"Cast", "Sub", "Div", "Resize"} & left.keys()
    assert left["QuantizeLinear"] == 1  # the convolution's output
    levels = np.arange(256, dtype=np.uint8)
    for frame in np.resize(levels, (256 // WIDTH + 1, 1, HEIGHT, WIDTH)):
        assert_same(made, model, frame)


def test_nothing_is_left_over() -> None:
    made = with_plain_moves(quantized_onnx())
    read = {name for node in made.graph.node for name in node.input}
    assert {item.name for item in made.graph.initializer} <= read


@pytest.mark.parametrize(
    ("offset", "zero"),
    [
        (127.5, np.uint8(128)),
        (128.0, np.uint8(127)),
        (0.0, np.uint8(128)),
        (0.0, np.int8(0)),  # steps end at 127
    ],
)
def test_gray_levels_that_are_no_steps_are_computed(
    offset: float, zero: np.uint8 | np.int8
) -> None:
    left = operators(with_plain_moves(quantized_onnx(offset=offset, zero=zero)))
    assert left["Cast"] == left["Sub"] == left["Div"] == 1
    assert left["Resize"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"output_scale": "u_scale"},
        {"factors": (1.0, 1.0, 1.5, 2.0)},
        {"factors": (1.0, 2.0, 2.0, 2.0)},
        {"resize": {**NEAREST, "mode": "linear"}},
        {"resize": {**NEAREST, "nearest_mode": "ceil"}},
        {"resize": {"mode": "nearest"}},
    ],
)
def test_a_resize_that_does_more_than_repeat_is_left(change: dict[str, object]) -> None:
    model = quantized_onnx(**change)  # type: ignore[arg-type]
    made = with_plain_moves(model)
    assert operators(made)["Resize"] == 1
    frame = np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH), np.uint8)
    assert_same(made, model, frame)
