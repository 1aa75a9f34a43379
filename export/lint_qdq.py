"""Rules for Q/DQ in a graph that TensorRT builds.

NVIDIA TensorRT developer guide, explicit quantization: symmetric signed INT8 with zero point 0;
activations one scale a tensor, weights one scale a channel, quantized before the file is written
with their DequantizeLinear in front of the layer; no quantized bias; inputs of weighted layers
are quantized, their outputs only where they are such an input or the residual input of an Add.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx

from export.finding import Finding

_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_Q, _DQ = "QuantizeLinear", "DequantizeLinear"


def check_qdq(model: onnx.ModelProto) -> Iterator[Finding]:
    """Yields what breaks the rules; nothing for a graph without Q/DQ."""
    graph = _Graph(model)
    for node in model.graph.node:
        if node.op_type in (_Q, _DQ):
            yield from _pair(graph, node)
        elif node.op_type in _WEIGHTED:
            yield from _weighted(graph, node)


class _Graph:
    """A graph that can be walked both ways."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.constants = {item.name: item for item in model.graph.initializer}
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._users: dict[str, list[onnx.NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)

    def maker(self, name: str) -> onnx.NodeProto | None:
        """Returns the node that puts a tensor out, or None."""
        return self._makers.get(name)

    def users(self, name: str) -> list[onnx.NodeProto]:
        """Returns the nodes that take a tensor in."""
        return self._users.get(name, [])


def _pair(graph: _Graph, node: onnx.NodeProto) -> Iterator[Finding]:
    scale = graph.constants.get(node.input[1])
    if scale is None or not (onnx.numpy_helper.to_array(scale).astype(np.float64) > 0).all():
        yield Finding(node.name, "a scale that is no positive constant")
    zero = graph.constants.get(node.input[2]) if len(node.input) > 2 else None
    if zero is None:
        yield Finding(node.name, "no zero point: its type is then unsigned")
    elif zero.data_type != onnx.TensorProto.INT8 or onnx.numpy_helper.to_array(zero).any():
        yield Finding(node.name, "a zero point other than a signed 0")
    if node.op_type == _Q:
        users = graph.users(node.output[0])
        if not users or any(user.op_type != _DQ for user in users):
            yield Finding(node.name, "a QuantizeLinear without its DequantizeLinear")
        if scale is not None and scale.dims:
            yield Finding(node.name, "an activation with more than one scale")
        before = graph.maker(node.input[0])
        allowed = _is_input(graph, node) or _is_skip(graph, node)
        if before is not None and before.op_type in _WEIGHTED and not allowed:
            yield Finding(node.name, f"the output of {before.op_type} {before.name} is quantized")
    elif node.input[0] not in graph.constants:
        before = graph.maker(node.input[0])
        if before is None or before.op_type != _Q:
            yield Finding(node.name, "a DequantizeLinear of neither weights nor a QuantizeLinear")


def _is_input(graph: _Graph, quantize: onnx.NodeProto) -> bool:
    """Whether a weighted layer reads what is quantized."""
    return any(
        user.op_type in _WEIGHTED
        for dequantize in graph.users(quantize.output[0])
        for user in graph.users(dequantize.output[0])
    )


def _is_skip(graph: _Graph, quantize: onnx.NodeProto) -> bool:
    """Whether what is quantized goes into an Add alone, and the Add's other input does not."""
    for dequantize in graph.users(quantize.output[0]):
        for user in graph.users(dequantize.output[0]):
            others = [name for name in user.input if name != dequantize.output[0]]
            makers = [graph.maker(name) for name in others]
            if user.op_type != "Add" or any(m is not None and m.op_type == _DQ for m in makers):
                return False
    return True


def _weighted(graph: _Graph, node: onnx.NodeProto) -> Iterator[Finding]:
    makers = [graph.maker(name) for name in node.input]
    quantized = [m is not None and m.op_type == _DQ for m in makers]
    if len(quantized) > 2 and quantized[2]:
        yield Finding(node.name, "a quantized bias")
    if quantized[0] != quantized[1]:
        side = "input" if quantized[0] else "weights"
        yield Finding(node.name, f"quantized {side} alone: the layer would run in floating point")
    weights = makers[1]
    if quantized[1] and weights is not None and weights.input[0] in graph.constants:
        scale = graph.constants.get(weights.input[1])
        channels = graph.constants[weights.input[0]].dims[0]
        if node.op_type == "Conv" and (scale is None or list(scale.dims) != [channels]):
            yield Finding(node.name, "weights without one scale a channel")
