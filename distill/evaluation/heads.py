"""How well heads are outlined and measured, over all and by trimester."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distill.data.planes import BRAIN
from distill.evaluation.agreement import Agreement, agreement
from distill.evaluation.bootstrap import Figure, Resampler, group_of, ratio
from distill.evaluation.growth import Trimester
from distill.evaluation.outcome import Outcome


@dataclass(frozen=True, slots=True)
class HeadOutcome:
    """A frame with a true head: its outcome, and its two true values."""

    outcome: Outcome
    true_hc_mm: float
    dsc: float

    @property
    def off_mm(self) -> float | None:
        """Measured - true HC, or None where nothing was measured."""
        hc_mm = self.outcome.hc_mm
        return None if hc_mm is None else hc_mm - self.true_hc_mm

    @property
    def trimester(self) -> Trimester:
        """Trimester of the true HC."""
        return Trimester.of(self.true_hc_mm)


@dataclass(frozen=True, slots=True)
class HeadScores:
    """Scores on frames with a true head, gate off.

    Attributes:
        dsc: mean Dice coefficient per image.
        dsc_pooled: Dice coefficient of all pixels of all images, in source pixels.
        hc: agreement of measured and true HC in mm, where HC was measured; None below two.
        n_measured: frames with a measured HC.
    """

    dsc: Figure
    dsc_pooled: Figure
    hc: Agreement | None
    n_measured: int


@dataclass(frozen=True, slots=True)
class TrimesterScores:
    """Scores of the heads of one trimester."""

    trimester: Trimester
    scores: HeadScores


@dataclass(frozen=True, slots=True)
class GateScores:
    """What the bundle's gate does.

    Attributes:
        withheld: share of true heads whose HC is withheld; None without such frames.
        shown_elsewhere: share of frames of other planes on which HC is shown; None without such.
    """

    withheld: Figure | None
    shown_elsewhere: Figure | None


def head_outcomes(outcomes: Sequence[Outcome]) -> list[HeadOutcome]:
    """Returns the outcomes on frames whose true outline and HC are known."""
    return [
        HeadOutcome(outcome, outcome.sample.hc_mm, outcome.overlap.dsc)
        for outcome in outcomes
        if outcome.sample.hc_mm is not None and outcome.overlap is not None
    ]


def head_scores(heads: Sequence[HeadOutcome]) -> HeadScores | None:
    """Returns the scores of heads, or None where there are none."""
    if not heads:
        return None
    resampler = Resampler.of([head.outcome.sample for head in heads])
    overlaps = [head.outcome.overlap for head in heads]
    pooled = [(2.0 * o.both, o.true + o.predicted) for o in overlaps if o is not None]
    measured = [(head, head.off_mm) for head in heads]
    off = [(head, value) for head, value in measured if value is not None]
    return HeadScores(
        dsc=resampler.mean([head.dsc for head in heads]),
        dsc_pooled=resampler.figure(np.asarray(pooled), ratio),
        hc=agreement([v for _, v in off], [group_of(h.outcome.sample) for h, _ in off]),
        n_measured=len(off),
    )


def by_trimester(heads: Sequence[HeadOutcome]) -> tuple[TrimesterScores, ...]:
    """Returns the scores of each trimester that has frames."""
    found = []
    for trimester in Trimester:
        scores = head_scores([head for head in heads if head.trimester is trimester])
        if scores is not None:
            found.append(TrimesterScores(trimester, scores))
    return tuple(found)


def gate_scores(gated: Sequence[Outcome]) -> GateScores:
    """Returns what the gate does on outcomes with the gate on."""
    heads = [outcome for outcome in gated if outcome.sample.hc_mm is not None]
    others = [o for o in gated if o.sample.plane not in (None, BRAIN)]
    return GateScores(
        withheld=_share(heads, [outcome.hc_mm is None for outcome in heads]),
        shown_elsewhere=_share(others, [outcome.hc_mm is not None for outcome in others]),
    )


def _share(outcomes: Sequence[Outcome], marked: Sequence[bool]) -> Figure | None:
    if not outcomes:
        return None
    return Resampler.of([o.sample for o in outcomes]).mean(np.asarray(marked, np.float64))
