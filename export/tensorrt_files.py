"""What a bundle needs so that a cart can build engines from it: typed fp16, lint, tolerances.

In fp32 TensorRT builds from ONNX Runtime's own file, which holds no type that only one of them
takes, so that it is in the bundle once. In fp16 the types stand in the graph and need a file of
their own. Neither was run on TensorRT here: parity is ONNX Runtime's, overflow is looked for with
ONNX's reference evaluator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from export.half import Half, confirm_half, to_half
from export.lint import check_lint
from export.onnx_file import OPSET, described
from export.parity import FP16, ParityFrame, ParityRow, check_parity, onnx_run
from fetalclip_edge.bundle.manifest import Backend, Manifest, Precision, Tolerance
from fetalclip_edge.bundle.write import file_entry

HALF_PATH = "model.fp16.onnx"
CONFIRMED_FRAMES = 2

FP32_TOLERANCE = Tolerance(
    # wide enough for TF32 (10 bits of mantissa, as fp16 has), which other builders leave on
    backend=Backend.TENSORRT,
    precision=Precision.FP32,
    embedding_cosine_min=0.999,
    probability_abs_max=0.02,
    mask_dsc_min=0.996,
    hc_mm_abs_max=0.3,
)
FP16_TOLERANCE = FP32_TOLERANCE.model_copy(update={"precision": Precision.FP16})


@dataclass(frozen=True, slots=True)
class TensorRtFiles:
    """What is added to a bundle.

    Attributes:
        manifest: with the typed file and its tolerances.
        half: the typed file, which goes to `HALF_PATH`.
        parity: the table of fp32 ONNX against fp16 ONNX.
    """

    manifest: Manifest
    half: Half
    parity: tuple[ParityRow, ...]


def with_tolerances(manifest: Manifest, *added: Tolerance) -> Manifest:
    """Returns the manifest with these golden tolerances, in place of those of the same kind."""
    new = {(t.backend, t.precision) for t in added}
    golden = manifest.golden
    kept = [t for t in golden.tolerances if (t.backend, t.precision) not in new]
    golden = golden.model_copy(update={"tolerances": (*kept, *added)})
    return Manifest.model_validate(manifest.model_copy(update={"golden": golden}).model_dump())


def add_half(manifest: Manifest, model: bytes, frames: Sequence[ParityFrame]) -> TensorRtFiles:
    """Makes the typed fp16 file of a bundle and holds it to the fp32 file.

    Args:
        manifest: of the bundle.
        model: its fp32 file.
        frames: real frames that no training step saw.

    Raises:
        CheckFailedError: a graph is not for TensorRT, fp16 overflows, or it says something else.
    """
    squares = np.concatenate([frame.square for frame in frames])  # (N, 1, S, S)
    half = to_half(model, squares, manifest.embedding_space.output)
    typed = described(
        half.model,
        bundle=manifest.name,
        version=manifest.version,
        precision=Precision.FP16.value,
    )
    check_lint("fp16 graph", onnx.load_model_from_string(typed))
    confirm_half(typed, squares[:CONFIRMED_FRAMES])
    rows = check_parity("fp32 ONNX and fp16 ONNX", onnx_run(model), onnx_run(typed), frames, FP16)
    entry = file_entry(HALF_PATH, Backend.TENSORRT, Precision.FP16, OPSET, typed)
    files = [f for f in manifest.files if f.path != HALF_PATH]
    updated = manifest.model_copy(update={"files": (*files, entry)})
    return TensorRtFiles(
        with_tolerances(updated, FP32_TOLERANCE, FP16_TOLERANCE),
        Half(typed, half.islands, half.largest),
        rows,
    )
