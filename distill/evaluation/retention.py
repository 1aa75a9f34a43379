"""What is left of the teacher: the student's probe over the teacher's, on the same frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distill.evaluation.bootstrap import Figure, Floats, Resampler
from distill.evaluation.planes import FOUR, PlaneScores, confusion_rows, macro_f1
from distill.evaluation.probe import ProbeScores


@dataclass(frozen=True, slots=True)
class Retention:
    """The student against its teacher.

    Attributes:
        teacher: name of the teacher.
        licence: of the teacher's weights.
        stand_in: it only stands in for the teacher that is meant.
        probe: the probe on the teacher's embeddings.
        zero_shot: the teacher's embeddings against the bundle's own banks of planes, where both
            live in one space.
        f1_ratio: student's over teacher's macro F1 over four classes; the interval draws the
            same groups for both.
    """

    teacher: str
    licence: str
    stand_in: bool
    probe: ProbeScores
    zero_shot: tuple[PlaneScores, ...]
    f1_ratio: Figure


def f1_ratio(
    truth: Sequence[int], student: Sequence[int], teacher: Sequence[int], groups: Sequence[str]
) -> Figure:
    """Returns the ratio of two macro F1 over the four classes, on frames of these.

    Args:
        truth: true plane of each frame.
        student: what the student's probe says.
        teacher: what the teacher's probe says.
        groups: name of the group of each frame.
    """
    kept = [i for i, plane in enumerate(truth) if plane in FOUR]
    rows = [
        confusion_rows([truth[i] for i in kept], [guess[i] for i in kept])
        for guess in (student, teacher)
    ]

    def statistic(sums: Floats) -> Floats:
        over, under = (macro_f1(part, FOUR) for part in np.split(sums, 2, axis=-1))
        return np.asarray(over / np.where(under == 0, np.nan, under))

    resampler = Resampler([groups[i] for i in kept])
    return resampler.figure(np.concatenate(rows, axis=1), statistic)
