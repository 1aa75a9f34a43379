"""Golden frames: does this machine say what the reference said, within the bundle's tolerances?

Run before anything is shown: a driver, a runtime or an engine that is subtly wrong still gives
numbers, and nothing on the screen would tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.bundle.load import Bundle, GoldenFrame
from fetalclip_edge.bundle.manifest import Backend, GoldenReference, Precision, Tolerance
from fetalclip_edge.errors import CheckFailedError, EdgeError, ImageError
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.result import Result
from fetalclip_edge.runners.base import RunnerInfo

Mask = NDArray[np.uint8]


class Processor(Protocol):
    """The part of `session.Session` that a self-test needs."""

    @property
    def info(self) -> RunnerInfo:
        """What really runs."""

    def process(self, frame: Frame, *, want_masks: bool = False) -> Result:
        """Runs the whole pass on one frame."""


@dataclass(frozen=True, slots=True)
class GoldenOutcome:
    """How far one golden frame is from its reference.

    Attributes:
        name: path of the frame in the bundle.
        embedding_cosine: cosine of the embeddings, 1 is equal; NaN where there is none.
        probability_abs_max: largest difference of a plane score.
        mask_dsc: Dice coefficient of the masks, 1 is equal.
        hc_mm_abs: difference of the head circumferences; None where neither was measured, NaN
            where only one was.
        reasons: each figure beyond its limit, with the limit; empty when passed.
    """

    name: str
    embedding_cosine: float
    probability_abs_max: float
    mask_dsc: float
    hc_mm_abs: float | None
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every figure is within its tolerance."""
        return not self.reasons


def run_self_test(bundle: Bundle, session: Processor) -> tuple[GoldenOutcome, ...]:
    """Returns the outcome of every golden frame; a frame that fails is an outcome, no exception.

    Raises:
        CheckFailedError: the bundle has no tolerance for what runs, so nothing can be judged.
    """
    tolerance = _tolerance(bundle, session.info)
    return tuple(_outcome(golden, session, tolerance) for golden in bundle.golden_frames())


def check_self_test(outcomes: Sequence[GoldenOutcome]) -> None:
    """Raises `CheckFailedError` that names the first failed frame, its figures and limits."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed or not outcomes:
        what = f"golden frame {failed[0].name}: {'; '.join(failed[0].reasons)}" if failed else ""
        raise CheckFailedError(
            f"self-test failed on {len(failed)} of {len(outcomes)} golden frames. {what}".strip(),
            remedy="Do not use this machine with this model; rebuild its engine, update the "
            "driver and runtime, or choose another backend or precision",
        )


def compare_golden(
    reference: GoldenReference, reference_mask: Mask, result: Result, tolerance: Tolerance
) -> GoldenOutcome:
    """Compares one result with its reference.

    Args:
        reference: what the reference model said.
        reference_mask: uint8 (H, W) of the frame's own size, above 127 inside.
        result: what this machine said, with masks.
        tolerance: limits for what runs here.
    """
    cosine = _cosine(result.embedding, np.asarray(reference.embedding))
    scores = [] if result.plane is None else [score for _, score in result.plane.scores]
    drift = _largest_difference(scores, reference.plane_scores)
    mask = result.structures[0].mask if result.structures else None
    dice = math.nan if mask is None else _dice(mask, reference_mask)
    measurement = result.measurement("HC")
    hc_mm = None if measurement is None else measurement.value_mm
    apart_mm, why = _hc_difference(hc_mm, reference.hc_mm)
    # written as "not within", so that NaN fails
    reasons = [
        f"{name}: expected {bound} {limit:g}, got {value:.4g}"
        for name, value, bound, limit, within in (
            ("embedding cosine", cosine, "at least", tolerance.embedding_cosine_min,
             cosine >= tolerance.embedding_cosine_min),
            ("plane score difference", drift, "at most", tolerance.probability_abs_max,
             drift <= tolerance.probability_abs_max),
            ("mask Dice", dice, "at least", tolerance.mask_dsc_min,
             dice >= tolerance.mask_dsc_min),
            ("HC difference in mm", apart_mm or 0.0, "at most", tolerance.hc_mm_abs_max,
             why is not None or (apart_mm or 0.0) <= tolerance.hc_mm_abs_max),
        )
        if not within
    ]  # fmt: skip
    if why is not None:
        reasons.append(why)
    return GoldenOutcome(reference.path, cosine, drift, dice, apart_mm, tuple(reasons))


def _tolerance(bundle: Bundle, info: RunnerInfo) -> Tolerance:
    golden = bundle.manifest.golden
    try:
        found = bundle.manifest.tolerance(Backend(info.backend), Precision(info.precision))
    except ValueError:  # a backend that no bundle can name, such as "scripted"
        found = None
    if found is None:
        there = ", ".join(f"{t.backend.value}/{t.precision.value}" for t in golden.tolerances)
        raise CheckFailedError(
            f"self-test of bundle {bundle.manifest.name} {bundle.manifest.version}",
            expected=f"golden tolerances for {info.backend}/{info.precision}",
            arrived=f"tolerances for {there}",
            remedy="Choose one of these, or a bundle that was checked for this one",
        )
    return found


def _outcome(golden: GoldenFrame, session: Processor, tolerance: Tolerance) -> GoldenOutcome:
    reference = golden.reference
    spacing_mm = reference.spacing_mm
    try:
        frame = Frame(
            _read_gray(golden.frame_path),
            scale=Scale((spacing_mm, spacing_mm), ScaleOrigin.SOURCE),
        )
        result = session.process(frame, want_masks=True)
        return compare_golden(reference, _read_gray(golden.mask_path), result, tolerance)
    except EdgeError as error:
        nan = math.nan
        return GoldenOutcome(reference.path, nan, nan, nan, None, (str(error),))


def _read_gray(path: Path) -> Mask:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except OSError as error:
        raise ImageError(f"{path}", arrived=error.strerror or type(error).__name__) from None
    except cv2.error:
        image = None
    if image is None:
        raise ImageError(
            f"{path}",
            expected="a PNG image",
            arrived="something that cannot be decoded",
            remedy="Get the bundle again",
        )
    return np.asarray(image, np.uint8)


def _cosine(first: NDArray[np.float32], second: NDArray[np.float64]) -> float:
    a = np.asarray(first, np.float64).ravel()
    if a.shape != second.shape:
        return math.nan
    length = float(np.linalg.norm(a) * np.linalg.norm(second))
    return float(a @ second) / length if length > 0 else math.nan


def _largest_difference(got: Sequence[float], wanted: Sequence[float]) -> float:
    if len(got) != len(wanted):
        return math.nan
    # np.max carries NaN on, where max() may lose it
    return float(np.max(np.abs(np.subtract(got, wanted)))) if got else 0.0


def _dice(mask: Mask, reference: Mask) -> float:
    if mask.shape != reference.shape:
        return math.nan
    a, b = mask > 127, reference > 127
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0


def _hc_difference(
    got_mm: float | None, wanted_mm: float | None
) -> tuple[float | None, str | None]:
    """Returns the difference in mm, and the reason why there is none where one is missing."""
    if got_mm is None and wanted_mm is None:
        return None, None
    if got_mm is None:
        return math.nan, f"HC: expected {wanted_mm:.2f} mm, got none (withheld)"
    if wanted_mm is None:
        return math.nan, f"HC: expected none (withheld), got {got_mm:.2f} mm"
    return abs(got_mm - wanted_mm), None
