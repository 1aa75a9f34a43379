"""Before INT8 a network takes another form: the same outputs from numbers that quantize better."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from calibration.equalize import balanced, balances
from calibration.form import Form, choose_form
from calibration.frames import CalibrationSet
from calibration.graph import prepared, typed
from calibration.input_levels import aligned, input_levels
from calibration.quantize import Target, quantize
from calibration.ranges import Method, compute_ranges
from export.half import to_half
from fetalclip_edge.errors import InputError
from tests.calibration.small import (
    SHIPPED_FP32,
    SIDE,
    WIDTH,
    chain_onnx,
    noise,
    phantom_squares,
    run,
)


@pytest.fixture(scope="module")
def squares() -> NDArray[np.uint8]:
    return phantom_squares(4)


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return prepared(SHIPPED_FP32)


@pytest.fixture(scope="module")
def form(model: onnx.ModelProto, squares: NDArray[np.uint8]) -> Form:
    return choose_form(model, squares)


def channel_reach(
    model: onnx.ModelProto, name: str, square: NDArray[np.uint8]
) -> NDArray[np.float32]:
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    reach: NDArray[np.float32] = np.abs(run(watched, square)[-1][0]).max(axis=(1, 2))
    return reach


def test_the_shipped_network_says_the_same_in_its_new_form(
    model: onnx.ModelProto, squares: NDArray[np.uint8], form: Form
) -> None:
    assert len(form.plan) >= 10
    for square in squares:
        before, after = run(model, square), run(balanced(model, form.plan), square)
        for a, b in zip(before, after, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4)
        # of the frame's edge alone, which is padded with zeros, half a gray level is left
        for a, b in zip(before, run(form.apply(model), square), strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=0.05)


@pytest.mark.parametrize("groups", [1, WIDTH])
def test_channels_of_unlike_ranges_come_closer_and_none_becomes_the_widest(groups: int) -> None:
    model, squares = chain_onnx(groups=groups), noise(3)
    made = balanced(model, balances(model, squares))
    before, after = (channel_reach(m, "r", squares[0]) for m in (model, made))
    assert after.max() <= before.max() * 1.001
    assert after.max() / after.min() < 0.2 * before.max() / before.min()
    if groups == WIDTH:  # each channel has weights of its own, so that nothing stands against it
        seen = np.max([channel_reach(made, "r", square) for square in squares], axis=0)
        np.testing.assert_allclose(seen, seen.max(), rtol=1e-3)
    np.testing.assert_allclose(
        run(made, squares[0])[0], run(model, squares[0])[0], rtol=1e-4, atol=1e-2
    )


def test_what_anything_but_a_convolution_reads_is_left_alone() -> None:
    model = chain_onnx(last="Add")
    assert balances(model, noise(2)) == ()
    assert balanced(model, ()) == model


def test_weights_that_two_convolutions_share_are_left_alone() -> None:
    model = chain_onnx(groups=WIDTH)
    second = next(node for node in model.graph.node if node.name == "second")
    second.input[1] = "w1"
    assert balances(model, noise(2)) == ()


def test_a_channel_that_is_always_zero_is_left_as_it_is() -> None:
    model = chain_onnx()
    weights = {item.name: item for item in model.graph.initializer}
    for name in ("w1", "b1"):
        values = numpy_helper.to_array(weights[name]).copy()
        values[0] = 0
        weights[name].CopyFrom(numpy_helper.from_array(values, name))
    (balance,) = balances(model, noise(2))
    assert balance.divisors[0] == 1.0
    assert np.isfinite(balance.divisors).all()


def test_every_gray_level_is_a_step_of_int8(
    model: onnx.ModelProto, squares: NDArray[np.uint8], form: Form
) -> None:
    chosen = CalibrationSet(squares, ("",) * len(squares), (), ())
    levels = form.levels
    assert levels is not None
    assert levels.range == (-2.0, 127 / 64)

    def made(graph: onnx.ModelProto, known: bool, target: Target) -> onnx.ModelProto:
        ranges = compute_ranges(graph, "0" * 64, chosen)
        if known:
            ranges = form.known(ranges)
        return quantize(graph, ranges, Method.MIN_MAX, target)

    def steps(quantized: onnx.ModelProto) -> int:
        held = {item.name: numpy_helper.to_array(item) for item in quantized.graph.initializer}
        node = next(
            n for n in quantized.graph.node
            if n.op_type == "QuantizeLinear" and n.input[0] == levels.tensor
        )  # fmt: skip
        scale, zero = held[node.input[1]], held[node.input[2]]
        sub = next(n for n in quantized.graph.node if n.name == levels.subtraction)
        gray = (np.arange(256, dtype=np.float32) - held[sub.input[1]]) / 64
        limits = np.iinfo(zero.dtype)
        return len(set(np.clip(np.rint(gray / scale) + zero, limits.min, limits.max).tolist()))

    assert steps(made(form.apply(model), True, Target.TENSORRT)) == 256
    for target in Target:
        assert steps(made(model, False, target)) < 256  # what it is for
    # where each level is a step, ONNX Runtime reads the frame as it is
    direct = made(form.apply(model), True, Target.ONNXRUNTIME)
    assert levels.subtraction not in {node.name for node in direct.graph.node}
    assert [n.op_type for n in direct.graph.node if "frame" in n.input] == ["Reshape"]
    assert "Resize" not in {node.op_type for node in direct.graph.node}


@pytest.mark.parametrize(("offset", "middle"), [(127.5, 128), (128.0, 128), (0.0, 0)])
def test_aligning_moves_the_offset_into_the_bias(offset: float, middle: int) -> None:
    model = chain_onnx(offset=offset)
    levels = input_levels(model)
    assert levels is not None
    assert levels.middle == middle
    made = aligned(model, levels)
    assert {item.name for item in made.graph.initializer} == {
        "w1", "b1_aligned", "w2", "b2", "offset_aligned", "divisor"
    }  # fmt: skip
    square = noise(1)[0]
    before, after = (run(m, square)[0][..., 2:-2, 2:-2] for m in (model, made))
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-1)


def multiplied(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.name == "div").op_type = "Mul"


def without_bias(model: onnx.ModelProto) -> None:
    del next(node for node in model.graph.node if node.name == "first").input[2]


def by_pixel(model: onnx.ModelProto) -> None:
    offset = next(item for item in model.graph.initializer if item.name == "offset")
    offset.CopyFrom(numpy_helper.from_array(np.full((1, 1, SIDE, SIDE), 127.5, "f"), "offset"))


def read_twice(model: onnx.ModelProto) -> None:
    again = helper.make_node("Cast", ["frame"], ["g"], "again", to=TensorProto.FLOAT)
    model.graph.node.insert(0, again)


def by_the_frame(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.name == "sub").input[1] = "f"


@pytest.mark.parametrize("change", [multiplied, without_bias, by_pixel, read_twice, by_the_frame])
def test_a_network_that_reads_its_frame_otherwise_keeps_it(
    change: Callable[[onnx.ModelProto], None],
) -> None:
    model = chain_onnx()
    assert input_levels(model) is not None
    change(model)
    assert input_levels(model) is None


def test_the_form_holds_for_the_typed_file_too(
    model: onnx.ModelProto, squares: NDArray[np.uint8], form: Form
) -> None:
    half = typed(to_half(SHIPPED_FP32, squares[:2]).model)
    for a, b in zip(run(half, squares[0]), run(form.apply(half), squares[0]), strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=0.2)


def test_a_typed_file_of_another_network_is_an_input_error(form: Form) -> None:
    with pytest.raises(InputError, match="the nodes of the fp32 file"):
        form.apply(chain_onnx())
