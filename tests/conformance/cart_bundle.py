"""The tiny bundle as a cart would get it: real ONNX, a real reference, tolerances for TensorRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, DataSource, FileEntry, Manifest, Precision
from fetalclip_edge.bundle.write import file_entry, write_bundle
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner
from fetalclip_edge.session import Session
from tests.bundle.builder import tiny_bundle, tiny_onnx, with_reference

DATA = DataSource(
    name="none", licence="CC0-1.0", credit="nobody", frames=1, split="none", trained_on=("none",)
)


def cart_bundle(
    folder: Path, *, extra: dict[Precision, bytes] | None = None, tolerant: bool = True
) -> Bundle:
    """Writes the bundle.

    Args:
        folder: where it goes.
        extra: further typed ONNX files for TensorRT.
        tolerant: whether its golden frames have tolerances for TensorRT.
    """
    plain = tiny_bundle(folder, tiny_onnx())
    path = plain.model_path(Backend.ONNXRUNTIME, Precision.FP32)
    with OnnxRuntimeRunner(path, precision="fp32", threads=1) as runner:
        bundle = with_reference(plain, Session(plain, runner, gate=False))
    manifest = bundle.manifest
    files: dict[str, Any] = {name: (folder / name).read_bytes() for name in manifest.digests()}
    entries: list[FileEntry] = list(manifest.files)
    for precision, data in (extra or {}).items():
        name = f"model-{precision.value}-trt.onnx"
        files[name] = data
        entries.append(file_entry(name, Backend.TENSORRT, precision, 18, data))
    tolerances = manifest.golden.tolerances
    if tolerant:
        tolerances += tuple(
            tolerances[0].model_copy(update={"backend": Backend.TENSORRT, "precision": precision})
            for precision in Precision
        )
    changed = manifest.model_copy(
        update={
            "files": tuple(entries),
            "golden": manifest.golden.model_copy(update={"tolerances": tolerances}),
            "provenance": manifest.provenance.model_copy(
                update={"data": (DATA,), "parameters": 1, "recipe_sha256": "1" * 64}
            ),
        }
    )
    return write_bundle(folder, Manifest.model_validate(changed.model_dump()), files)


def with_operator(operator: str) -> bytes:
    """Returns the tiny model with one node replaced by another operator."""
    model = onnx.load_from_string(tiny_onnx())
    node = next(node for node in model.graph.node if node.op_type == "Mul")
    node.op_type, node.name = operator, "the strange one"
    return bytes(model.SerializeToString())
