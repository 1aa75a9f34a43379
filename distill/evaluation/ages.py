"""Gestational age: by the text bank, from the measured HC, and by a constant guess.

VPR, the valid prediction rate of FetalCLIP (Maani et al., arXiv 2502.14807, 2025): the share of
frames whose true HC lies between the 2.5 % and the 97.5 % WHO quantile at the predicted age. It
is a weak measure, as a constant guess shows; errors in days and in mm stand beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from distill.data.gestational_age import intergrowth_ga_days
from distill.evaluation.agreement import Agreement, agreement
from distill.evaluation.bootstrap import Figure, Resampler, group_of
from distill.evaluation.growth import (
    HC_MM_RANGE,
    who_ga_days,
    who_hc_mm,
)
from distill.evaluation.heads import HeadOutcome

GRID_GA_DAYS = tuple(range(14 * 7, 38 * 7 + 7))
"""FetalCLIP's grid: 14w0d to 38w6d."""


@dataclass(frozen=True, slots=True)
class AgeScores:
    """How well one way of dating does on frames with a dated HC.

    Attributes:
        name: the way.
        stand_in: it rests on a teacher that only stands in for the one that is meant.
        vpr: valid prediction rate; a frame without an age counts as not valid.
        days: predicted age less the age at which the true HC is the WHO median, in days.
        mm: WHO median HC at the predicted age less the true HC, in mm.
    """

    name: str
    stand_in: bool
    vpr: Figure
    days: Agreement | None
    mm: Agreement | None


def is_dated(hc_mm: float) -> bool:
    """Tells whether a circumference is one of those that FetalCLIP dates: 100 to 342 mm."""
    return HC_MM_RANGE[0] <= hc_mm <= HC_MM_RANGE[1]


def is_valid(true_hc_mm: float, ga_days: float | None) -> bool:
    """Tells whether the WHO quantiles at an age hold the true HC; no age holds none."""
    if ga_days is None:
        return False
    low, high = (float(who_hc_mm(quantile, ga_days)) for quantile in (0.025, 0.975))
    return low <= true_hc_mm <= high  # false where the curve ends, which is NaN


def best_constant_ga_days(true_hc_mm: Sequence[float]) -> int:
    """Returns the day of the grid with the highest VPR on these circumferences.

    Of several best days it is the middle one. Give it training frames: a constant fitted to the
    frames that it is scored on is no guess.
    """
    truth = np.asarray([hc for hc in true_hc_mm if is_dated(hc)])
    low, high = (who_hc_mm(quantile, GRID_GA_DAYS)[:, None] for quantile in (0.025, 0.975))
    valid = ((low <= truth) & (truth <= high)).sum(axis=1)
    best = np.flatnonzero(valid == valid.max())
    return GRID_GA_DAYS[int(best[len(best) // 2])]


def age_scores(
    heads: Sequence[HeadOutcome], training_hc_mm: Sequence[float], *, stand_in: bool = False
) -> tuple[AgeScores, ...]:
    """Returns the scores of each way of dating; none where no frame has a dated HC.

    Args:
        heads: frames that are scored.
        training_hc_mm: true circumferences of the training frames, for the constant guess.
        stand_in: the text bank's teacher is a stand-in.
    """
    dated = [head for head in heads if is_dated(head.true_hc_mm)]
    if not dated:
        return ()
    ways: list[tuple[str, Callable[[HeadOutcome], float | None]]] = [
        ("HC, INTERGROWTH-21st", _from_hc(intergrowth_ga_days)),
        ("HC, WHO median", _from_hc(who_ga_days)),
    ]
    if any(head.outcome.bank_ga_days is not None for head in dated):
        ways.insert(0, ("text bank", lambda head: head.outcome.bank_ga_days))
    if any(map(is_dated, training_hc_mm)):
        guess = best_constant_ga_days(training_hc_mm)
        name = f"constant guess {guess // 7}w{guess % 7}d"
        ways.append((name, lambda _: float(guess)))
    return tuple(
        _score(name, stand_in and name == "text bank", dated, [way(head) for head in dated])
        for name, way in ways
    )


def _from_hc(formula: Callable[[float], float]) -> Callable[[HeadOutcome], float | None]:
    def date(head: HeadOutcome) -> float | None:
        hc_mm = head.outcome.hc_mm
        days = math.nan if hc_mm is None else formula(hc_mm)
        return days if math.isfinite(days) else None

    return date


def _score(
    name: str, stand_in: bool, heads: Sequence[HeadOutcome], ages: Sequence[float | None]
) -> AgeScores:
    valid = [is_valid(h.true_hc_mm, age) for h, age in zip(heads, ages, strict=True)]
    days: list[tuple[float, str]] = []
    mm: list[tuple[float, str]] = []
    for head, age in zip(heads, ages, strict=True):
        if age is None:
            continue
        group = group_of(head.outcome.sample)
        days.append((age - who_ga_days(head.true_hc_mm), group))
        median_mm = float(who_hc_mm(0.5, age))
        if math.isfinite(median_mm):
            mm.append((median_mm - head.true_hc_mm, group))
    return AgeScores(
        name=name,
        stand_in=stand_in,
        vpr=Resampler.of([h.outcome.sample for h in heads]).share(valid),
        days=agreement([off for off, _ in days], [group for _, group in days]),
        mm=agreement([off for off, _ in mm], [group for _, group in mm]),
    )
