"""The two INT8 forms of the shipped model: each as its target wants it, from the same ranges."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from calibration.frames import CalibrationSet
from calibration.graph import layers, prepared, typed
from calibration.quantize import Target, quantize
from calibration.ranges import Method, Ranges, compute_ranges
from distill.model import PRESETS, Student, StudentSpec
from export.half import to_half
from export.lint import lint
from export.onnx_file import to_onnx
from tests.calibration.small import SHIPPED_FP32, phantom_squares, run


@pytest.fixture(scope="module")
def squares() -> NDArray[np.uint8]:
    return phantom_squares(6)


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return prepared(SHIPPED_FP32)


@pytest.fixture(scope="module")
def ranges(model: onnx.ModelProto, squares: NDArray[np.uint8]) -> Ranges:
    chosen = CalibrationSet(squares, ("",) * len(squares), (), ())
    return compute_ranges(model, "0" * 64, chosen)


@pytest.fixture(scope="module")
def half(squares: NDArray[np.uint8]) -> onnx.ModelProto:
    return typed(to_half(SHIPPED_FP32, squares[:2]).model)


def initializers(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    return {item.name: item for item in model.graph.initializer}


def test_for_onnxruntime_activations_are_unsigned_and_weights_signed_by_channel(
    model: onnx.ModelProto, ranges: Ranges
) -> None:
    made = quantize(model, ranges, Method.MIN_MAX, Target.ONNXRUNTIME)
    held = initializers(made)
    for node in made.graph.node:
        if node.op_type == "QuantizeLinear":
            assert held[node.input[2]].data_type == onnx.TensorProto.UINT8
            assert held[node.input[1]].dims == []
    convolutions = [node for node in made.graph.node if node.op_type == "Conv"]
    makers = {name: node for node in made.graph.node for name in node.output}
    for node in convolutions:
        weights = held[makers[node.input[1]].input[0]]
        assert weights.data_type == onnx.TensorProto.INT8
        assert held[makers[node.input[1]].input[1]].dims == [weights.dims[0]]
    # Conv, Add and Relu go together: no Relu is left beside the quantized convolutions
    assert "Relu" not in {node.op_type for node in made.graph.node}
    assert len(made.SerializeToString()) <= 0.35 * len(SHIPPED_FP32)


@pytest.mark.parametrize("from_half", [False, True])
def test_for_tensorrt_the_graph_is_what_its_parser_takes(
    model: onnx.ModelProto, half: onnx.ModelProto, ranges: Ranges, from_half: bool
) -> None:
    made = quantize(half if from_half else model, ranges, Method.MIN_MAX, Target.TENSORRT)
    assert lint(made) == ()
    assert made.opset_import[0].version == 20
    held, floats = initializers(made), onnx.TensorProto.FLOAT16 if from_half else 1
    pairs = Counter(node.op_type for node in made.graph.node)
    assert pairs["DequantizeLinear"] > pairs["QuantizeLinear"] > 0  # weights have no Q
    for node in made.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            assert not onnx.numpy_helper.to_array(held[node.input[2]]).any()
            assert held[node.input[1]].data_type == floats


@pytest.mark.parametrize("preset", PRESETS)
def test_each_encoder_gives_a_graph_that_tensorrts_parser_takes(
    preset: str, squares: NDArray[np.uint8]
) -> None:
    graph = prepared(to_onnx(Student(StudentSpec(preset)), 64))
    small = np.ascontiguousarray(squares[:1, :, ::4, ::4])
    seen = compute_ranges(graph, "0" * 64, CalibrationSet(small, ("",), (), ()))
    assert lint(quantize(graph, seen, Method.MIN_MAX, Target.TENSORRT)) == ()


def test_what_stays_in_fp32_is_stored_in_fp16(model: onnx.ModelProto, ranges: Ranges) -> None:
    made = quantize(model, ranges, Method.MIN_MAX, Target.ONNXRUNTIME)
    large = [
        (item.name, item.data_type)
        for item in made.graph.initializer
        if len(item.dims) >= 2 and onnx.numpy_helper.to_array(item).size >= 2**14
    ]
    assert large
    assert onnx.TensorProto.FLOAT not in {kind for _, kind in large}


@pytest.mark.parametrize(
    ("target", "from_half"),
    [(Target.ONNXRUNTIME, False), (Target.TENSORRT, False), (Target.TENSORRT, True)],
)
def test_the_outputs_stay_near_fp32(
    model: onnx.ModelProto,
    half: onnx.ModelProto,
    ranges: Ranges,
    squares: NDArray[np.uint8],
    target: Target,
    from_half: bool,
) -> None:
    made = quantize(half if from_half else model, ranges, Method.MIN_MAX, target)
    for square in squares[:2]:
        want = run(onnx.load_model_from_string(SHIPPED_FP32), square, optimize=True)
        got = run(made, square, optimize=target is Target.ONNXRUNTIME)
        assert float((want[0] * got[0]).sum()) >= 0.99
        inside = [mask[0, 0] > 0 for mask in (want[2], got[2])]
        dice = 2 * (inside[0] & inside[1]).sum() / (inside[0].sum() + inside[1].sum())
        assert dice >= 0.99


@pytest.mark.parametrize("target", list(Target))
def test_the_same_ranges_give_the_same_bytes(
    model: onnx.ModelProto, ranges: Ranges, target: Target
) -> None:
    once, again = (
        quantize(model, ranges, Method.PERCENTILE, target).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert once == again


@pytest.mark.parametrize("target", list(Target))
def test_a_spared_layer_keeps_its_float_weights(
    model: onnx.ModelProto, ranges: Ranges, target: Target
) -> None:
    spared = layers(model)[3].name
    made = quantize(model, ranges, Method.MIN_MAX, target, float_layers=[spared])
    makers = {name: node for node in made.graph.node for name in node.output}
    for node in made.graph.node:
        if node.op_type == "Conv":
            maker = makers.get(node.input[1])
            assert (maker is None) == (node.name == spared)


def test_every_layer_spared_is_the_fp32_model(
    model: onnx.ModelProto, ranges: Ranges, squares: NDArray[np.uint8]
) -> None:
    names = [layer.name for layer in layers(model)]
    made = quantize(model, ranges, Method.MIN_MAX, Target.TENSORRT, float_layers=names)
    assert "QuantizeLinear" not in {node.op_type for node in made.graph.node}
    for want, got in zip(
        run(onnx.load_model_from_string(SHIPPED_FP32), squares[0], optimize=False),
        run(made, squares[0], optimize=False),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, atol=2e-4)


def test_reduced_range_takes_seven_bits(model: onnx.ModelProto, ranges: Ranges) -> None:
    made = quantize(model, ranges, Method.MIN_MAX, Target.ONNXRUNTIME, reduce_range=True)
    largest = max(
        int(np.abs(onnx.numpy_helper.to_array(item).astype(np.int32)).max())
        for item in made.graph.initializer
        if item.data_type == onnx.TensorProto.INT8 and len(item.dims) == 4
    )
    assert 32 < largest <= 64


@pytest.mark.parametrize("factor", [1.0, 1e6])
def test_large_weights_outside_int8_are_stored_as_fp16_where_it_holds_them(
    model: onnx.ModelProto, ranges: Ranges, factor: float
) -> None:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    weights = initializers(changed)["embed.weight"]
    values = onnx.numpy_helper.to_array(weights) * np.float32(factor)
    assert (np.abs(values).max() > np.finfo(np.float16).max) == (factor > 1)
    weights.CopyFrom(onnx.numpy_helper.from_array(values, "embed.weight"))
    held = initializers(quantize(changed, ranges, Method.MIN_MAX, Target.ONNXRUNTIME))
    if factor == 1:
        stored = onnx.numpy_helper.to_array(held["embed.weight_half"])
        np.testing.assert_allclose(stored, values, rtol=2**-11, atol=2**-25)
    else:
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(held["embed.weight"]), values)
