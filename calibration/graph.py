"""The fp32 graph as calibration uses it: folded, with every tensor's shape known."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.quantization.shape_inference import quant_pre_process

from fetalclip_edge.errors import InputError

_ERRORS_ONLY = 3
MAX_IR_VERSION = 10  # ONNX Runtime 1.23, the newest for JetPack 6, refuses later ones

_FUSED = ("Relu", "Clip", "Add", "HardSwish")
"""What runtimes run together with the convolution before it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution with what is fused into it.

    Attributes:
        name: name of the convolution's node.
        nodes: names of all its nodes, the convolution first.
    """

    name: str
    nodes: tuple[str, ...]


def prepared(model: bytes) -> onnx.ModelProto:
    """Returns a model folded and with shapes, by ONNX Runtime's own step before quantization.

    Raises:
        InputError: it is no ONNX model that can be prepared.
    """
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        before.write_bytes(model)
        try:
            quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
            graph = onnx.load_model(after)
        except Exception as error:  # (its exceptions share no base of their own)
            raise InputError(
                "model file",
                expected="an ONNX model that can be prepared for quantization",
                arrived=" ".join(str(error).split())[:200],
            ) from None
    used = {node.domain for node in graph.graph.node}
    kept = [item for item in graph.opset_import if item.domain == "" or item.domain in used]
    del graph.opset_import[:]
    graph.opset_import.extend(kept)
    graph.ir_version = min(graph.ir_version, MAX_IR_VERSION)
    return graph


def typed(model: bytes) -> onnx.ModelProto:
    """Returns a typed fp16 model as it is.

    Preparing it would undo its types: on a CPU ONNX Runtime puts casts to fp32 everywhere.

    Raises:
        InputError: it is no ONNX model.
    """
    try:
        return onnx.load_model_from_string(model)
    except Exception as error:  # (protobuf's exceptions differ by its implementation)
        raise InputError(
            "model file", expected="an ONNX model", arrived=" ".join(str(error).split())[:200]
        ) from None


def shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Returns tensor name -> shape of every tensor whose shape is known."""
    known = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim)
        for value in (*known.value_info, *known.input, *known.output)
    }


def layers(model: onnx.ModelProto) -> tuple[Layer, ...]:
    """Returns the convolutions in the order of the graph, each with what is fused into it."""
    consumers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    found = []
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        chain = [node]
        while len(after := consumers.get(chain[-1].output[0], [])) == 1:
            if after[0].op_type not in _FUSED:
                break
            chain.append(after[0])
        found.append(Layer(node.name, tuple(item.name for item in chain)))
    return tuple(found)


def float_tensors(model: onnx.ModelProto) -> tuple[str, ...]:
    """Returns the names of all tensors that nodes of the model put out as float."""
    known = onnx.shape_inference.infer_shapes(model).graph
    floats = {
        value.name
        for value in (*known.value_info, *known.output)
        if value.type.tensor_type.elem_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }
    return tuple(name for node in model.graph.node for name in node.output if name in floats)


def watched_session(
    model: onnx.ModelProto, names: tuple[str, ...] = ()
) -> onnxruntime.InferenceSession:
    """Returns what runs a model as it is written and also gives these of its float tensors."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    there = {output.name for output in watched.graph.output}
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
        if name not in there
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    # no fusions: every tensor of the file is one that is really computed; and see
    # `OnnxRuntimeRunner` for what they make of typed Q/DQ
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(
        watched.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
