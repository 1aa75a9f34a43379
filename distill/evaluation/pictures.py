"""The frames worth looking at: the worst and the median heads, and planes taken for others."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.planes import PLANES
from distill.evaluation.heads import HeadOutcome
from distill.evaluation.outcome import Outcome, Pipeline, run_sample, true_mask
from fetalclip_edge.frame import Pixels
from fetalclip_edge.overlay import CONTOUR
from fetalclip_edge.preprocess import to_gray
from fetalclip_edge.report.blocks import Picture
from fetalclip_edge.sources.images import read_image

TRUTH = (255, 150, 40)
"""Colour of a true outline, BGR: blue, beside the yellow of what was found."""

_HEADS = 3
_CONFUSED = 9


def worst_heads(heads: Sequence[HeadOutcome]) -> list[HeadOutcome]:
    """Returns the heads with the lowest DSC, the worst first."""
    return sorted(heads, key=_by_dsc)[:_HEADS]


def median_heads(heads: Sequence[HeadOutcome]) -> list[HeadOutcome]:
    """Returns the heads around the median DSC."""
    ordered = sorted(heads, key=_by_dsc)
    first = max(0, (len(ordered) - _HEADS) // 2)
    return ordered[first : first + _HEADS]


def confused_planes(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Returns frames whose plane was taken for another, the surest first."""
    wrong = [o for o in outcomes if o.sample.plane is not None and o.plane != o.sample.plane]
    return sorted(wrong, key=lambda o: (-o.confidence, o.sample.image.name))[:_CONFUSED]


def head_picture(pipeline: Pipeline, head: HeadOutcome) -> Picture:
    """Returns the frame with its true outline in blue and the outline found in yellow."""
    sample = head.outcome.sample
    frame, result = run_sample(pipeline, sample)
    picture = np.asarray(cv2.cvtColor(to_gray(frame.pixels), cv2.COLOR_GRAY2BGR), np.uint8)
    _draw_outline(picture, np.asarray(true_mask(sample), np.uint8), TRUTH)
    for structure in result.structures:
        if structure.name == "head" and structure.mask is not None:
            _draw_outline(picture, structure.mask, CONTOUR)
    measured = "withheld" if head.outcome.hc_mm is None else f"{head.outcome.hc_mm:.1f} mm"
    words = f"{sample.image.name}: DSC {head.dsc:.3f}; HC {measured}, true {head.true_hc_mm:.1f} mm"
    return Picture(picture, words)


def plane_picture(outcome: Outcome) -> Picture:
    """Returns the frame as it is, with its true plane and what was said."""
    sample = outcome.sample
    names = (*PLANES, "none of these")
    truth = names[-1 if sample.plane is None else sample.plane]
    words = f"{sample.image.name}: {truth}, taken for {names[outcome.plane]}"
    return Picture(read_image(sample.image), f"{words} ({outcome.confidence:.0%})")


def _by_dsc(head: HeadOutcome) -> tuple[float, str]:
    return head.dsc, head.outcome.sample.image.name


def _draw_outline(picture: Pixels, mask: NDArray[np.uint8], color: tuple[int, int, int]) -> None:
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(max(picture.shape[:2]) / 320))
    cv2.drawContours(picture, outlines, -1, color, thickness, cv2.LINE_AA)
