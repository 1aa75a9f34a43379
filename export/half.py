"""From the fp32 graph to a typed fp16 one, with fp32 islands where fp16 would overflow.

TensorRT 11 builds no fp16 from an fp32 graph any more: the types stand in the graph. The
conversion is onnxruntime's (`onnxruntime.transformers.float16`). Of the two kept converters it is
the one that keeps what has to be float32 (a Resize's scales) and types the Cast of the input;
onnxconverter-common 1.16 left both wrong on this graph. Three things it does not do are done here:
it takes the description of a constant for an activation and casts it back and forth, it leaves
nodes out of order, and it sends what flows between two nodes of an island through fp16, where an
island is there to keep it out of fp16.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from export.onnx_file import folded
from fetalclip_edge.errors import CheckFailedError

MAX_MAGNITUDE = 3e4
"""Activations beyond this are kept in fp32: fp16 ends at 65,504, and a sum may pass through more
than it comes to."""

_ERRORS_ONLY = 3
_FLOAT, _HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16


@dataclass(frozen=True, slots=True)
class Half:
    """A typed fp16 model.

    Attributes:
        model: the file.
        islands: nodes that compute in fp32.
        largest: largest magnitude of any activation of the fp32 model over the frames.
    """

    model: bytes
    islands: tuple[str, ...]
    largest: float


def to_half(model: bytes, frames: NDArray[np.uint8], embedding: str = "embedding") -> Half:
    """Returns the model with fp16 weights and activations; inputs and outputs keep their types.

    Args:
        model: fp32, as `onnx_file.to_onnx` returns it.
        frames: real frames uint8 (N, 1, S, S), over which the islands are chosen.
        embedding: output whose norm stays in fp32.

    Raises:
        CheckFailedError: the typed graph is not valid.
    """
    graph = folded(onnx.load_model_from_string(model))
    magnitudes = activation_magnitudes(graph, frames)
    islands = _too_large(graph, magnitudes) | _norm(graph, embedding)
    constants = {item.name for item in graph.graph.initializer}
    described = [value for value in graph.graph.value_info if value.name not in constants]
    del graph.graph.value_info[:]
    graph.graph.value_info.extend(described)
    half = convert_float_to_float16(
        graph, keep_io_types=True, op_block_list=[], node_block_list=sorted(islands)
    )
    _without_detours(half)
    ordered = OnnxModel(half)
    ordered.prune_graph()
    ordered.topological_sort()
    half = ordered.model
    del half.graph.value_info[:]  # of the types before; inference finds the new ones
    half = onnx.shape_inference.infer_shapes(half, strict_mode=True)
    try:
        onnx.checker.check_model(half, full_check=True)
    except onnx.checker.ValidationError as error:
        raise CheckFailedError(
            "typed fp16 graph", expected="a valid graph", arrived=" ".join(str(error).split())[:200]
        ) from None
    return Half(
        bytes(half.SerializeToString(deterministic=True)),
        tuple(sorted(islands)),
        max(magnitudes.values(), default=0.0),
    )


def confirm_half(model: bytes, frames: NDArray[np.uint8]) -> None:
    """Runs a typed model in ONNX's reference evaluator, which really computes in fp16.

    ONNX Runtime on a CPU computes fp16 graphs in fp32, where nothing overflows, so it is no
    evidence.

    Args:
        model: the typed file.
        frames: uint8 (N, 1, S, S); a few, as the evaluator takes seconds a frame.

    Raises:
        CheckFailedError: an output is not finite, or not float32.
    """
    evaluator = ReferenceEvaluator(onnx.load_model_from_string(model))
    for frame in frames:
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = evaluator.run(None, {"frame": frame[None]})
        for name, values in zip(evaluator.output_names, outputs, strict=True):
            array = np.asarray(values)
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise CheckFailedError(
                    f"output {name!r} of the typed fp16 graph in ONNX's reference evaluator",
                    expected="finite float32",
                    arrived=f"{array.dtype}, finite {np.isfinite(array).mean():.1%}",
                    remedy="Keep more nodes in fp32",
                )


def activation_magnitudes(model: onnx.ModelProto, frames: NDArray[np.uint8]) -> dict[str, float]:
    """Returns tensor -> largest magnitude over frames uint8 (N, 1, S, S), of every float tensor."""
    watched = onnx.ModelProto()
    watched.CopyFrom(onnx.shape_inference.infer_shapes(model))
    floats = {
        value.name
        for value in (*watched.graph.value_info, *watched.graph.output)
        if value.type.tensor_type.elem_type == _FLOAT
    }
    names = [out for node in watched.graph.node for out in node.output if out in floats]
    there = {output.name for output in watched.graph.output}
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, _FLOAT, None)
        for name in names
        if name not in there
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    largest = dict.fromkeys(names, 0.0)
    for frame in frames:
        for name, values in zip(names, session.run(names, {"frame": frame[None]}), strict=True):
            largest[name] = max(largest[name], float(np.abs(values).max(initial=0.0)))
    return largest


def _too_large(model: onnx.ModelProto, magnitudes: dict[str, float]) -> set[str]:
    """Returns the nodes that put out or take in a tensor beyond `MAX_MAGNITUDE`."""
    large = {name for name, value in magnitudes.items() if not value <= MAX_MAGNITUDE}
    weights = {
        item.name
        for item in model.graph.initializer
        if item.data_type == _FLOAT
        and float(np.abs(onnx.numpy_helper.to_array(item)).max(initial=0.0)) > MAX_MAGNITUDE
    }
    return {
        node.name
        for node in model.graph.node
        if (large | weights) & {*node.input, *node.output} and node.op_type != "Cast"
    }


def _norm(model: onnx.ModelProto, embedding: str) -> set[str]:
    """Returns the nodes from the division that puts out the embedding back to its raw value.

    The raw value is what both the division and the norm are taken of.
    """
    makers = {out: node for node in model.graph.node for out in node.output}
    last = makers.get(embedding)
    if last is None or last.op_type != "Div":
        return set()
    raw, found, waiting = last.input[0], {last.name}, [last.input[1]]
    while waiting:
        maker = makers.get(waiting.pop())
        if maker is not None and maker.name not in found:
            found.add(maker.name)
            waiting += [name for name in maker.input if name != raw]
    return found


def _without_detours(model: onnx.ModelProto) -> None:
    """Joins what leaves fp32 for fp16 only to come back: fp32 -> Cast -> fp16 -> Cast -> fp32."""
    makers = {out: node for node in model.graph.node for out in node.output}

    def cast_to(node: onnx.NodeProto | None, kind: int) -> bool:
        return (
            node is not None
            and node.op_type == "Cast"
            and any(item.name == "to" and item.i == kind for item in node.attribute)
        )

    outputs: Collection[str] = {output.name for output in model.graph.output}
    for node in model.graph.node:
        before = makers.get(node.input[0]) if node.input else None
        if not cast_to(node, _FLOAT) or before is None or not cast_to(before, _HALF):
            continue
        origin = before.input[0]
        if origin == "frame":
            continue  # the input's own Cast
        if node.output[0] in outputs:
            # the value itself takes the output's name
            name = node.output[0]
            for other in model.graph.node:
                _rename(other, origin, name)
            node.input[0], node.output[0] = name, f"{name}_unused"
        else:
            for other in model.graph.node:
                for i, used in enumerate(other.input):
                    if used == node.output[0]:
                        other.input[i] = origin


def _rename(node: onnx.NodeProto, old: str, new: str) -> None:
    for names in (node.input, node.output):
        for i, name in enumerate(names):
            if name == old:
                names[i] = new
