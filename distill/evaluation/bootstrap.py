"""Figures with bootstrap intervals, drawn by groups of frames that belong together.

Frames of one patient resemble each other, so that whole groups are drawn, not frames: the
cluster bootstrap (Field & Welsh, J. R. Stat. Soc. B 69(3), 2007) with percentile intervals
(Efron, Ann. Stat. 7(1), 1979). Every statistic here is a function of sums over frames; a draw
then only weighs the sums of the groups, which makes thousands of draws cheap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.data.sample import Sample

ROUNDS = 2000
Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Sums over frames, (..., K), to the figure, (...); NaN where it is not defined."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval.

    Attributes:
        value: the figure.
        interval: lower and upper bound; None where there are fewer than two groups.
        n: frames it was measured on.
        groups: groups of frames that were drawn as one.
    """

    value: float
    interval: tuple[float, float] | None
    n: int
    groups: int

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.value, *(self.interval or ())))):
            raise ValueError(f"a figure must be finite, got {self}")


def group_of(sample: Sample) -> str:
    """Returns the name of the frames that belong together: the patient, where that is known.

    HC18 names no patient. Its file number stands for one, although some women have several
    numbers; its splits are made of blocks of numbers, which would be too few to draw from.
    """
    if sample.data_set == "HC18":
        return f"HC18 number {sample.image.name.split('_')[0]}"
    return f"{sample.data_set} {sample.group}"


class Resampler:
    """Draws groups with replacement, the same draws for every figure on the same frames.

    Args:
        groups: name of the group of each frame; at least one frame.
        seed: of the draws.
    """

    def __init__(self, groups: Sequence[str], seed: int = 0) -> None:
        names, self._member = np.unique(np.asarray(groups), return_inverse=True)
        self._count = len(names)
        share = np.full(self._count, 1.0 / self._count)
        draws = np.random.default_rng(seed).multinomial(self._count, share, ROUNDS)
        self._weights = draws.astype(np.float64)  # (rounds, groups)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Resampler:
        """Returns a resampler of these frames by `group_of`."""
        return cls([group_of(sample) for sample in samples])

    def figure(self, rows: ArrayLike, statistic: Statistic) -> Figure:
        """Returns the statistic of all frames, with its interval.

        Args:
            rows: (N, K), what each frame adds to the sums.
            statistic: from sums to the figure; draws for which it is NaN are left out.

        Raises:
            ValueError: the statistic of all frames is not finite.
        """
        frames = np.asarray(rows, np.float64)
        sums = np.zeros((self._count, frames.shape[1]))
        np.add.at(sums, self._member, frames)
        value = float(statistic(frames.sum(axis=0)))
        interval = None
        if self._count > 1:
            drawn = statistic(self._weights @ sums)
            low, high = np.nanpercentile(drawn, [2.5, 97.5])
            interval = float(low), float(high)
        return Figure(value, interval, len(frames), self._count)

    def mean(self, values: ArrayLike) -> Figure:
        """Returns the mean of one number a frame."""
        column = np.asarray(values, np.float64)
        return self.figure(np.stack([column, np.ones_like(column)], axis=1), ratio)


def ratio(sums: Floats) -> Floats:
    """Returns the first sum over the second; NaN where that is 0."""
    total = np.where(sums[..., 1] == 0, np.nan, sums[..., 1])
    return np.asarray(sums[..., 0] / total)
