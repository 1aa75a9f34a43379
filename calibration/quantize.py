"""From one set of activation ranges to one INT8 file a target.

Both are made with ONNX Runtime's `QDQQuantizer`, given our own ranges. The targets want opposite
things: x86 multiplies unsigned activations by signed weights and is slow on signed ones, and
wants Conv, Add and Relu quantized together; TensorRT takes signed symmetric Q/DQ with zero point
0 alone, on the inputs of weighted layers and not on their outputs.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper, version_converter
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from calibration.bias import with_corrected_biases
from calibration.graph import layers, shapes
from calibration.moves import plain_moves
from calibration.ranges import Method, Ranges
from calibration.rewrite import rewritten
from calibration.wide_stem import wide_stem
from fetalclip_edge.bundle.manifest import Backend
from fetalclip_edge.errors import InputError

TENSORRT_OPSET = 20
"""Opset 18 cannot hold Q/DQ on float16; TensorRT 10.3 reads up to 20."""

_ORT_OPS = ("Conv", "Add", "Relu", "Clip", "MaxPool", "Resize", "Concat", "AveragePool")
_STEPS, _REDUCED_STEPS = 127, 64
"""What the largest weight of a channel becomes in ONNX Runtime's quantizer."""

_WORTH_HALF_BYTES = 2**14
_HALF_LARGEST = 65504.0
_FLOATS = {onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.FLOAT16: np.float16}


class Target(str, Enum):
    """What an INT8 file is made for."""

    ONNXRUNTIME = "int8-ort"
    TENSORRT = "int8-trt"

    @property
    def backend(self) -> Backend:
        """What runs it."""
        return Backend.ONNXRUNTIME if self is Target.ONNXRUNTIME else Backend.TENSORRT

    @property
    def path(self) -> str:
        """Where it lies in a bundle."""
        return f"model.{self.value}.onnx"


def quantize(
    model: onnx.ModelProto,
    ranges: Ranges,
    method: Method,
    target: Target,
    *,
    float_layers: Collection[str] = (),
    reduce_range: bool = False,
) -> onnx.ModelProto:
    """Returns the model with Q/DQ for a target.

    Feature maps are quantized; the embedding, the planes and the mask's upsampling stay in
    floating point: they cost nothing and are what is measured on.

    Args:
        model: as `graph.prepared` returns it; for TensorRT it may be the typed fp16 one, and
            the scales are fp16 then.
        ranges: of the fp32 model with the same tensor names.
        method: which of the ranges to use.
        target: what the file is for.
        float_layers: names of layers (see `graph.layers`) that stay in floating point.
        reduce_range: 7-bit weights for `int8-ort`, for processors without VNNI, whose 16-bit
            sums of U8 x S8 saturate.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if target is Target.TENSORRT:
        quantized = _for_tensorrt(copy, ranges, method, float_layers)
    else:
        quantized = _for_onnxruntime(copy, ranges, method, float_layers, reduce_range)
        quantized = rewritten(quantized, (*plain_moves(), wide_stem()))
        _store_in_half(quantized)
    onnx.checker.check_model(quantized, full_check=True)
    return quantized


def _for_onnxruntime(
    model: onnx.ModelProto,
    ranges: Ranges,
    method: Method,
    float_layers: Collection[str],
    reduce_range: bool,
) -> onnx.ModelProto:
    left_out = {n for layer in layers(model) if layer.name in float_layers for n in layer.nodes}
    steps = _REDUCED_STEPS if reduce_range else _STEPS
    convolutions = {n.name for n in model.graph.node if n.op_type == "Conv"} - left_out
    model = with_corrected_biases(model, _means(ranges), convolutions, steps)
    known = shapes(model)
    nodes = [
        node.name
        for node in model.graph.node
        if node.op_type in _ORT_OPS
        and node.name not in left_out
        and len(known.get(node.output[0], ())) == 4
    ]
    if not nodes:
        return model
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=reduce_range,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=_tensors_range(model, ranges, method),
        nodes_to_quantize=nodes,
        nodes_to_exclude=[],
        op_types_to_quantize=list(_ORT_OPS),
        extra_options={"WeightSymmetric": True},
    )
    return _quantized(quantizer)


def _store_in_half(model: onnx.ModelProto) -> None:
    """Stores the large weights that stay in fp32 as fp16, which the runtime unpacks as it loads.

    They are a third of a small network's file. Their rounding, 2^-11, is far below that of INT8.
    """
    multiplied = {
        name
        for node in model.graph.node
        if node.op_type in ("Gemm", "MatMul")
        for name in node.input
    }
    for item in model.graph.initializer:
        if item.data_type != onnx.TensorProto.FLOAT or item.name not in multiplied:
            continue
        values = numpy_helper.to_array(item)
        if values.nbytes < _WORTH_HALF_BYTES or np.abs(values).max() > _HALF_LARGEST:
            continue
        name = f"{item.name}_half"
        cast = onnx.helper.make_node(
            "Cast", [name], [item.name], f"{item.name}_unpack", to=onnx.TensorProto.FLOAT
        )
        model.graph.node.insert(0, cast)
        item.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name))


def _for_tensorrt(
    model: onnx.ModelProto, ranges: Ranges, method: Method, float_layers: Collection[str]
) -> onnx.ModelProto:
    model = version_converter.convert_version(model, TENSORRT_OPSET)
    nodes = [layer.name for layer in layers(model) if layer.name not in float_layers]
    if not nodes:
        return model
    model = with_corrected_biases(model, _means(ranges), nodes, _STEPS)
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QInt8,
        tensors_range=_tensors_range(model, ranges, method, symmetric=True),
        nodes_to_quantize=nodes,
        nodes_to_exclude=[],
        op_types_to_quantize=["Conv"],
        extra_options={
            "ActivationSymmetric": True,
            "WeightSymmetric": True,
            "QuantizeBias": False,
            "OpTypesToExcludeOutputQuantization": ["Conv"],
        },
    )
    for name in _skips(model, nodes):
        quantizer.quantize_activation_tensor(name)
    return _quantized(quantizer)


def _skips(model: onnx.ModelProto, quantized: list[str]) -> list[str]:
    """Returns the outputs of 1 x 1 convolutions that are the residual input of an Add.

    NVIDIA's advice for skip connections is to quantize their residual input alone, so that the
    Add fuses into the other convolution. A skip that a layer reads is quantized as its input.
    """
    makers = {output: node for node in model.graph.node for output in node.output}
    weights = {item.name: tuple(item.dims) for item in model.graph.initializer}
    read = {node.input[0] for node in model.graph.node if node.name in quantized}
    found = []
    for node in model.graph.node:
        if read & set(node.input):
            continue
        inputs = [makers.get(name) for name in node.input] if node.op_type == "Add" else []
        if len(inputs) != 2 or not all(x is not None and x.op_type == "Conv" for x in inputs):
            continue
        found += [
            maker.output[0]
            for maker in inputs
            if maker is not None
            and maker.name in quantized
            and weights.get(maker.input[1], ())[2:] == (1, 1)
        ][:1]
    return found


def _tensors_range(
    model: onnx.ModelProto, ranges: Ranges, method: Method, *, symmetric: bool = False
) -> TensorsData:
    """Returns the ranges in ONNX Runtime's form; a scale gets the type of its range.

    ONNX Runtime takes a symmetric range to span -127 to 127; the step -128 is there as well.
    """
    known = onnx.shape_inference.infer_shapes(model).graph
    kinds = {v.name: v.type.tensor_type.elem_type for v in (*known.value_info, *known.output)}
    limits: dict[str, TensorData] = {}
    for tensor in ranges.tensors:
        kind = _FLOATS.get(kinds.get(tensor.name, onnx.TensorProto.FLOAT), np.float32)
        low, high = tensor.by(method)
        if symmetric:
            high = max(high, -low * 127 / 128)
            low = -high
        limits[tensor.name] = TensorData(lowest=kind(low), highest=kind(high))
    return TensorsData(CalibrationMethod.MinMax, limits)


def _means(ranges: Ranges) -> dict[str, NDArray[np.float64]]:
    return {item.name: np.array(item.values) for item in ranges.means}


def _quantized(quantizer: QDQQuantizer) -> onnx.ModelProto:
    try:
        quantizer.quantize_model()
    except ValueError as error:
        raise InputError(
            "activation ranges",
            expected="a range for every tensor that is quantized",
            arrived=" ".join(str(error).split())[:200],
            remedy="Use the ranges of this very model",
        ) from None
    quantizer.model.topological_sort()  # it appends its nodes
    quantized: onnx.ModelProto = quantizer.model.model
    return quantized
