"""Golden tolerances of a new file: how far it is from the reference frames, with room to spare."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, Precision, Tolerance
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner
from fetalclip_edge.selftest import GoldenOutcome, compare_golden
from fetalclip_edge.session import Session
from fetalclip_edge.sources.images import read_image

ROOM = 2.0
"""A tolerance is this many times what was found: kernels of other machines round differently."""

_FLOOR_COSINE = 0.002
_FLOOR_PROBABILITY = 0.01
_FLOOR_DSC = 0.002
_FLOOR_HC_MM = 0.3
"""Least room: half of what would still pass the gate, so that a good machine is not refused."""

_WORST_COSINE = 0.95
_WORST_DSC = 0.97
_WORST_HC_MM = 3.0


def golden_tolerance(
    bundle: Bundle, model: Path, backend: Backend, precision: Precision, *, optimize: bool = True
) -> Tolerance:
    """Returns the tolerance of a file by what it says of the golden frames.

    Args:
        bundle: holds the golden frames and their references.
        model: the file.
        backend: what will run it.
        precision: its precision.
        optimize: see `OnnxRuntimeRunner`.

    Raises:
        CheckFailedError: it is further from the reference than any file may be.
    """
    loosest = Tolerance(
        backend=backend,
        precision=precision,
        embedding_cosine_min=_WORST_COSINE,
        probability_abs_max=1.0,
        mask_dsc_min=_WORST_DSC,
        hc_mm_abs_max=_WORST_HC_MM,
    )
    with OnnxRuntimeRunner(model, precision=precision.value, optimize=optimize) as runner:
        session = Session(bundle, runner, gate=False)  # as the self-test runs
        outcomes = [
            _outcome(bundle, session, i, loosest) for i in range(len(bundle.golden_frames()))
        ]
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        raise CheckFailedError(
            f"{model.name} on golden frame {failed[0].name}",
            arrived="; ".join(failed[0].reasons),
            remedy="Keep more layers in floating point",
        )
    return loosest.model_copy(
        update={
            "embedding_cosine_min": _below(
                min(o.embedding_cosine for o in outcomes), _FLOOR_COSINE
            ),
            "probability_abs_max": _above(
                max(o.probability_abs_max for o in outcomes), _FLOOR_PROBABILITY, 1.0
            ),
            "mask_dsc_min": _below(min(o.mask_dsc for o in outcomes), _FLOOR_DSC),
            "hc_mm_abs_max": _above(
                max(o.hc_mm_abs or 0.0 for o in outcomes), _FLOOR_HC_MM, _WORST_HC_MM
            ),
        }
    )


def _outcome(bundle: Bundle, session: Session, index: int, limits: Tolerance) -> GoldenOutcome:
    golden = bundle.golden_frames()[index]
    spacing_mm = golden.reference.spacing_mm
    frame = Frame(
        read_image(golden.frame_path),
        geometry_epoch=index,
        scale=Scale((spacing_mm, spacing_mm), ScaleOrigin.SOURCE),
    )
    mask = np.asarray(cv2.imread(str(golden.mask_path), cv2.IMREAD_GRAYSCALE), np.uint8)
    result = session.process(frame, want_masks=True)
    return compare_golden(golden.reference, mask, result, limits)


def _above(found: float, floor: float, most: float) -> float:
    """Returns the limit for a difference, rounded up to two digits."""
    wanted = max(ROOM * found, floor)
    digit = 10.0 ** (math.floor(math.log10(wanted)) - 1)
    return min(most, round(math.ceil(wanted / digit) * digit, 6))


def _below(found: float, floor: float) -> float:
    """Returns the limit for a likeness, rounded down to four digits."""
    return math.floor(max(0.0, 1.0 - max(ROOM * (1.0 - found), floor)) * 1e4) / 1e4
