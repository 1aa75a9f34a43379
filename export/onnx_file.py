"""Student to ONNX: opset 18, static batch 1, reparameterized, constants folded."""

from __future__ import annotations

import onnx
import onnx_ir
import torch
from onnxscript.optimizer import optimize
from timm.utils.model import reparameterize_model

from distill.model import Student
from fetalclip_edge.errors import CheckFailedError

OPSET = 18
MAX_IR_VERSION = 10  # ONNX Runtime 1.23, the newest for JetPack 6, refuses later ones
OUTPUTS = ("embedding", "plane", "mask")

_FOLD_LIMIT = 2**24
"""Numbers in a constant that is folded: the mask's upsampling matrix is beyond the default."""


def to_onnx(student: Student, size_px: int) -> bytes:
    """Returns the student as a serialized ONNX model with input `frame`, uint8 (1, 1, S, S).

    Raises:
        CheckFailedError: the graph is not what the cart's contract says.
    """
    student = student.eval()
    student.encoder = reparameterize_model(student.encoder)
    frame = torch.zeros(1, 1, size_px, size_px, dtype=torch.uint8)
    program = torch.onnx.export(
        student,
        (frame,),
        input_names=["frame"],
        output_names=list(OUTPUTS),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        optimize=True,
        verbose=False,
    )
    if program is None:
        raise CheckFailedError("export", expected="an ONNX program", arrived="none")
    model = folded(program.model_proto)
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    _strip(model)
    _check(model)
    return bytes(model.SerializeToString())


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the model with all that can be computed beforehand computed."""
    graph = onnx_ir.serde.deserialize_model(model)
    optimize(graph, input_size_limit=_FOLD_LIMIT, output_size_limit=_FOLD_LIMIT)
    return onnx_ir.serde.serialize_model(graph)


def _strip(model: onnx.ModelProto) -> None:
    """Drops the exporter's notes: they hold stack traces and paths of the machine it ran on."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]


def _check(model: onnx.ModelProto) -> None:
    onnx.checker.check_model(model, full_check=True)
    consumers = [node.op_type for node in model.graph.node if "frame" in node.input]
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    outputs = tuple(output.name for output in model.graph.output)
    facts = (consumers, opset, outputs)
    expected = (["Cast"], OPSET, OUTPUTS)
    if facts != expected:
        raise CheckFailedError(
            "exported graph (consumers of frame, opset, outputs)",
            expected=repr(expected),
            arrived=repr(facts),
        )


def described(model: bytes, *, bundle: str, version: str, precision: str) -> bytes:
    """Returns a model that says in its metadata what it is, so that a stray file can be told."""
    proto = onnx.load_model_from_string(model)
    del proto.metadata_props[:]
    onnx.helper.set_model_props(
        proto, {"bundle": bundle, "version": version, "precision": precision}
    )
    return bytes(proto.SerializeToString(deterministic=True))
