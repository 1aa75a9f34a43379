"""Agreement of measured and true values: bias and limits.

J. M. Bland, D. G. Altman, Statistical methods for assessing agreement between two methods of
clinical measurement, Lancet 327(8476):307-310, 1986.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distill.evaluation.bootstrap import Figure, Floats, Resampler, ratio

LIMIT_SD = 1.96


@dataclass(frozen=True, slots=True)
class Agreement:
    """Differences, measured - true.

    Attributes:
        bias: their mean.
        lower: bias - 1.96 standard deviations.
        upper: bias + 1.96 standard deviations.
        mean_abs: mean of their absolute values.
    """

    bias: Figure
    lower: Figure
    upper: Figure
    mean_abs: Figure


def agreement(differences: Sequence[float], groups: Sequence[str]) -> Agreement | None:
    """Returns the agreement of at least two differences, in their own unit, or None.

    Args:
        differences: measured - true.
        groups: name of the group of each.
    """
    if len(differences) < 2:
        return None
    off = np.asarray(differences, np.float64)
    rows = np.stack([off, np.ones_like(off), off**2], axis=1)
    resampler = Resampler(groups)
    return Agreement(
        bias=resampler.figure(rows, ratio),
        lower=resampler.figure(rows, lambda sums: _limit(sums, -LIMIT_SD)),
        upper=resampler.figure(rows, lambda sums: _limit(sums, LIMIT_SD)),
        mean_abs=resampler.mean(np.abs(off)),
    )


def _limit(sums: Floats, deviations: float) -> Floats:
    """Returns mean + so many standard deviations (of n - 1) from sums of d, 1 and d^2."""
    total, count, squares = sums[..., 0], sums[..., 1], sums[..., 2]
    free = np.where(count > 1, count - 1, np.nan)
    variance = np.maximum(0.0, squares - total**2 / np.maximum(count, 1)) / free
    return np.asarray(ratio(sums) + deviations * np.sqrt(variance))
