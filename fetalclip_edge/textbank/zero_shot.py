"""What an embedding says by its cosines to text: a plane, and a gestational age.

Both as FetalCLIP reads them (Maani et al., arXiv 2502.14807, 2025).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.classify import classify
from fetalclip_edge.frame import Scale
from fetalclip_edge.geometry import Roi
from fetalclip_edge.result import ZERO_SHOT, Classification, GestationalAge
from fetalclip_edge.textbank.entry import TOP_DAYS, GestationalAgeBank, PlaneBank

_MAX_UNEVEN = 0.01


def classify_by_text(
    bank: PlaneBank, vectors: NDArray[np.float32], embedding: NDArray[np.float32]
) -> Classification:
    """Returns the softmax of logit scale times cosine over the bank's classes.

    Args:
        bank: the bank.
        vectors: its vectors, float32 (C, D), of norm 1.
        embedding: of the frame, float32 (D,), of norm 1.
    """
    return classify(bank.name, ZERO_SHOT, bank.classes, bank.logit_scale * (vectors @ embedding))


def age_by_text(
    bank: GestationalAgeBank,
    vectors: NDArray[np.float32],
    embedding: NDArray[np.float32],
    roi: Roi,
    scale: Scale | None,
) -> GestationalAge:
    """Returns the middle one of the 15 days whose prompts are nearest, or why there is none.

    The teacher was told the spacing of the region once it is shrunk to the side that it sees,
    so that the spacing is computed for that side, whatever the student's own.

    Args:
        bank: the bank.
        vectors: its vectors, float32 (spacings * days, D).
        embedding: of the frame, float32 (D,), of norm 1.
        roi: the region that the model saw, in source pixels.
        scale: of the source's pixels, or None where it is not known.
    """
    if scale is None:
        return GestationalAge(bank.name, withheld_reason="scale unknown")
    row_mm, column_mm = scale.spacing_mm_rc
    if abs(row_mm - column_mm) > _MAX_UNEVEN * max(row_mm, column_mm):
        return GestationalAge(bank.name, withheld_reason="pixels not square")
    spacing_mm = max(roi.height, roi.width) / bank.prompt_size_px * (row_mm + column_mm) / 2
    place = bank.spacings.nearest(spacing_mm)
    if place is None:
        return GestationalAge(bank.name, withheld_reason="spacing outside the text bank")
    days = bank.days.count
    dots = vectors[place * days : (place + 1) * days] @ embedding  # (days,)
    if not np.isfinite(dots).all():
        return GestationalAge(bank.name, withheld_reason="embedding not finite")
    # stable: of equal days the earlier one counts, on every machine
    best = np.sort(np.argsort(-dots, kind="stable")[:TOP_DAYS])
    return GestationalAge(bank.name, bank.days.first_ga_days + int(best[TOP_DAYS // 2]))
