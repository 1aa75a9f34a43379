"""Student to ONNX: opset 18, static batch 1, reparameterized, and equal to torch on real frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from timm.utils.model import reparameterize_model

from distill.model import Student
from fetalclip_edge.errors import CheckFailedError

OPSET = 18
MAX_IR_VERSION = 10  # ONNX Runtime 1.23, the newest for JetPack 6, refuses later ones
OUTPUTS = ("embedding", "plane", "mask")

MAX_LOGIT_DIFFERENCE = 2e-3
MIN_COSINE = 0.99999


@dataclass(frozen=True, slots=True)
class Parity:
    """Largest differences between torch and ONNX Runtime over the frames compared.

    Attributes:
        frames: number of frames compared.
        embedding_cosine: smallest cosine of the two embeddings.
        plane_logit: largest absolute difference of a plane logit.
        mask_logit: largest absolute difference of a mask logit.
    """

    frames: int
    embedding_cosine: float
    plane_logit: float
    mask_logit: float


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
    model = program.model_proto
    model.ir_version = min(model.ir_version, MAX_IR_VERSION)
    _strip(model)
    _check(model)
    return bytes(model.SerializeToString())


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


def check_parity(model: bytes, student: Student, frames: NDArray[np.uint8]) -> Parity:
    """Compares ONNX Runtime with torch on frames uint8 (N, 1, S, S).

    Raises:
        CheckFailedError: a difference is beyond its limit; nothing may be shipped then.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    student = student.eval()
    cosine, plane, mask = 1.0, 0.0, 0.0
    for frame in frames:
        got = session.run(list(OUTPUTS), {"frame": frame[None]})
        with torch.no_grad():
            want = [value.numpy() for value in student(torch.from_numpy(frame[None]))]
        cosine = min(cosine, float((got[0] * want[0]).sum()))
        plane = max(plane, float(np.abs(got[1] - want[1]).max()))
        mask = max(mask, float(np.abs(got[2] - want[2]).max()))
    parity = Parity(len(frames), cosine, plane, mask)
    if cosine < MIN_COSINE or max(plane, mask) > MAX_LOGIT_DIFFERENCE:
        raise CheckFailedError(
            "parity of torch and ONNX",
            expected=f"cosine >= {MIN_COSINE}, logits within {MAX_LOGIT_DIFFERENCE}",
            arrived=repr(parity),
        )
    return parity
