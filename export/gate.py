"""The thresholds of a bundle's gate, chosen on validation frames."""

from __future__ import annotations

import numpy as np

from distill.data.planes import BRAIN
from distill.evaluation.outcome import Outcome
from fetalclip_edge.bundle.manifest import Gate
from fetalclip_edge.errors import CheckFailedError

MAX_WITHHELD = 0.03
"""Share of validation heads that the gate may withhold; the rest of its budget is for the plane."""

_TAIL_PERCENT = 0.5
_CONFIDENCES = tuple(round(step * 0.05, 2) for step in range(1, 20))


def choose_gate(outcomes: list[Outcome]) -> Gate:
    """Returns thresholds that keep nearly every true head and let through the fewest others.

    Shape thresholds sit just outside the range of the true heads. The plane's confidence is then
    the highest of a grid that keeps the withheld share of true heads within `MAX_WITHHELD`.

    Args:
        outcomes: ungated outcomes on validation frames, with and without a head outline.

    Raises:
        CheckFailedError: there is no frame with a measured head.
    """
    heads = [o for o in outcomes if o.sample.hc_mm is not None and o.hc_mm is not None]
    if not heads:
        raise CheckFailedError(
            "gate", expected="validation frames with a measured head", arrived="none"
        )
    score = float(np.percentile([o.score for o in heads], _TAIL_PERCENT))
    residual = float(np.percentile([o.fit_residual for o in heads], 100 - _TAIL_PERCENT))
    border = float(np.percentile([o.border_fraction for o in heads], 100 - _TAIL_PERCENT))
    confidence = 0.0
    for candidate in _CONFIDENCES:
        kept = sum(o.plane == BRAIN and o.confidence >= candidate for o in heads)
        if 1 - kept / len(heads) <= MAX_WITHHELD:
            confidence = candidate
    return Gate(
        min_structure_score=round(max(0.0, score - 0.02), 4),
        min_plane_confidence=confidence,
        max_fit_residual=round(min(1.0, residual * 1.2), 4),
        max_border_fraction=round(min(1.0, border + 0.02), 4),
    )
