"""Looks at a graph before a cart does: will TensorRT 10.3 and later take it as it stands?

An engine is built on the cart, where nobody can mend a graph. No parser is run here; the rules
are those of `trt_operators.py` and of NVIDIA's guide to strongly typed networks and Q/DQ.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from export.finding import Finding
from export.lint_qdq import check_qdq
from export.onnx_file import MAX_IR_VERSION
from export.trt_operators import (
    MAX_OPSET,
    OPERATORS,
    RESIZE_COORDINATES,
    RESIZE_MODES,
    RESIZE_NEAREST,
)
from fetalclip_edge.errors import CheckFailedError

_T = onnx.TensorProto
_FLOATS = (_T.FLOAT, _T.FLOAT16)
_INSIDE = (*_FLOATS, _T.INT8, _T.INT32, _T.INT64, _T.BOOL)
"""Types of tensors inside a graph; UINT8 is for its input alone."""


def lint(model: onnx.ModelProto) -> tuple[Finding, ...]:
    """Returns everything that a parser would refuse or that would run otherwise than meant."""
    typed = onnx.shape_inference.infer_shapes(model)
    return (
        *_versions(model),
        *_operators(model),
        *_input(model),
        *_types(typed),
        *_shapes(typed),
        *_constants(model),
        *_resize(model),
        *_layer_norm(model),
        *check_qdq(model),
    )


def check_lint(what: str, model: onnx.ModelProto) -> None:
    """Raises `CheckFailedError` that names every finding, if there is any."""
    findings = lint(model)
    if findings:
        raise CheckFailedError(
            f"{what} for TensorRT",
            expected="a graph that its parser takes",
            arrived="; ".join(map(str, findings)),
        )


def _versions(model: onnx.ModelProto) -> Iterator[Finding]:
    if model.ir_version > MAX_IR_VERSION:
        yield Finding("model", f"IR version {model.ir_version}, at most {MAX_IR_VERSION}")
    for item in model.opset_import:
        if item.domain in ("", "ai.onnx") and item.version > MAX_OPSET:
            yield Finding("model", f"opset {item.version}, at most {MAX_OPSET}")
    for item in model.graph.initializer:
        if item.data_location == _T.EXTERNAL:
            yield Finding(item.name, "weights in another file")


def _operators(model: onnx.ModelProto) -> Iterator[Finding]:
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            yield Finding(node.name, f"operator {node.domain}.{node.op_type} is not ONNX's own")
        elif node.op_type not in OPERATORS:
            yield Finding(node.name, f"operator {node.op_type} is not taken by every parser")


def _input(model: onnx.ModelProto) -> Iterator[Finding]:
    names = {item.name for item in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in names]
    if len(inputs) != 1:
        yield Finding("inputs", f"{len(inputs)} of them, expected one")
    for value in inputs:
        kind = value.type.tensor_type.elem_type
        users = [node for node in model.graph.node if value.name in node.input]
        if kind == _T.UINT8:
            casts = [n for n in users if n.op_type == "Cast" and _attribute(n, "to") in _FLOATS]
            if len(users) != 1 or casts != users:
                found = ", ".join(node.op_type for node in users) or "nothing"
                yield Finding(
                    value.name,
                    f"a uint8 input goes into one Cast to float or half, here into {found}",
                )
        elif kind not in _FLOATS:
            yield Finding(value.name, f"an input of type {_T.DataType.Name(kind)}")


def _types(model: onnx.ModelProto) -> Iterator[Finding]:
    graph = model.graph
    for name, kind in (
        *((v.name, v.type.tensor_type.elem_type) for v in (*graph.value_info, *graph.output)),
        *((item.name, item.data_type) for item in graph.initializer),
    ):
        if kind not in _INSIDE:
            yield Finding(name, f"a tensor of type {_T.DataType.Name(kind)}")
    for value in graph.output:
        if value.type.tensor_type.elem_type != _T.FLOAT:
            yield Finding(value.name, "an output that is not float32")


def _shapes(model: onnx.ModelProto) -> Iterator[Finding]:
    known = {v.name: v for v in (*model.graph.value_info, *model.graph.output, *model.graph.input)}
    made = [name for node in model.graph.node for name in node.output if name]
    for name in (*(value.name for value in model.graph.input), *made):
        value = known.get(name)
        if value is None or not value.type.tensor_type.HasField("shape"):
            yield Finding(name, "a shape that cannot be inferred")
        elif any(not side.HasField("dim_value") for side in value.type.tensor_type.shape.dim):
            yield Finding(name, "a dynamic shape")


def _constants(model: onnx.ModelProto) -> Iterator[Finding]:
    constants = {item.name for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type.startswith("Reduce") and len(node.input) > 1:
            if node.input[1] and node.input[1] not in constants:
                yield Finding(node.name, "axes that are no initializer")
        elif node.op_type != "DequantizeLinear" and set(node.input) - {""} <= constants:
            yield Finding(node.name, f"a {node.op_type} of constants that was not folded")


def _resize(model: onnx.ModelProto) -> Iterator[Finding]:
    constants = {item.name for item in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Resize":
            continue
        for name, fallback, allowed in (
            ("mode", "nearest", RESIZE_MODES),
            ("coordinate_transformation_mode", "half_pixel", RESIZE_COORDINATES),
            ("nearest_mode", "round_prefer_floor", RESIZE_NEAREST),
        ):
            value = _attribute(node, name)
            text = value.decode() if isinstance(value, bytes) else fallback
            if text not in allowed:
                yield Finding(node.name, f"Resize with {name} {text}")
        if _attribute(node, "antialias"):
            yield Finding(node.name, "Resize with antialiasing")
        if any(name and name not in constants for name in node.input[1:]):
            yield Finding(node.name, "Resize by scales or sizes that are no initializer")


def _layer_norm(model: onnx.ModelProto) -> Iterator[Finding]:
    """A LayerNormalization taken apart: in fp16 its square overflows and nothing says so."""
    makers = {name: node for node in model.graph.node for name in node.output}

    def maker(node: onnx.NodeProto, index: int) -> onnx.NodeProto | None:
        return makers.get(node.input[index]) if len(node.input) > index else None

    for node in model.graph.node:
        if node.op_type not in ("Pow", "Mul"):
            continue
        before = maker(node, 0)
        if node.op_type == "Mul" and node.input[0] != node.input[1]:
            continue
        if before is not None and before.op_type == "Sub":
            mean = maker(before, 1)
            if mean is not None and mean.op_type == "ReduceMean":
                yield Finding(node.name, "a LayerNormalization taken apart; export it whole")


def _attribute(node: onnx.NodeProto, name: str) -> object:
    return next(
        (onnx.helper.get_attribute_value(item) for item in node.attribute if item.name == name),
        None,
    )
