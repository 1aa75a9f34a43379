"""Linear probe: what a logistic regression on frozen embeddings can tell apart.

Fitted on training frames; its one knob, C, is chosen on validation frames by macro F1 over the
four classes. FetalCLIP's own probe is a linear layer too (arXiv 2502.14807).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from distill.data.sample import Sample, Split
from distill.evaluation.bootstrap import Figure, Resampler, group_of
from distill.evaluation.planes import FOUR, PlaneScores, confusion_rows, macro_f1, plane_scores

C_GRID = (0.1, 1.0, 10.0, 100.0, 1000.0)
FEW_PERCENT = (1, 5, 10)
DRAWS = 10
"""Draws of few labels; the figure is the mean over them."""

Embeddings = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ProbeData:
    """Embeddings of frames with a plane, by split.

    Attributes:
        samples: the frames, each with a plane.
        embeddings: float32 (N, D), a row for each.
    """

    samples: tuple[Sample, ...]
    embeddings: Embeddings

    def __post_init__(self) -> None:
        if len(self.samples) != len(self.embeddings):
            raise ValueError(f"{len(self.samples)} frames, {len(self.embeddings)} embeddings")
        if any(sample.plane is None for sample in self.samples):
            raise ValueError("a probe needs frames with a plane")

    def part(self, split: Split) -> tuple[Embeddings, NDArray[np.int64]]:
        """Returns embeddings and planes of one split."""
        rows = [i for i, sample in enumerate(self.samples) if sample.split is split]
        planes = np.asarray([self.samples[i].plane for i in rows], np.int64)
        return self.embeddings[rows], planes

    @property
    def test_groups(self) -> list[str]:
        """Name of the group of each test frame."""
        return [group_of(s) for s in self.samples if s.split is Split.TEST]

    @property
    def usable(self) -> bool:
        """Whether a probe can be fitted, tuned and scored on the four classes."""
        planes = {split: set(self.part(split)[1].tolist()) for split in Split}
        return len(planes[Split.TRAIN]) > 1 and all(planes[s] & set(FOUR) for s in Split)


@dataclass(frozen=True, slots=True)
class FewLabels:
    """A probe on few labels.

    Attributes:
        percent: share of the training frames that keep their label.
        labelled: frames that keep it; of each class at least one.
        four: macro F1 over four classes, the mean over the draws.
        lowest: of the worst draw.
        highest: of the best draw.
    """

    percent: int
    labelled: int
    four: Figure
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class ProbeScores:
    """A probe on all labels and on few.

    Attributes:
        c: inverse strength of the penalty, chosen on validation frames.
        all_labels: scores on all training labels.
        few: by share of the labels, with the same `c`.
    """

    c: float
    all_labels: PlaneScores
    few: tuple[FewLabels, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """A fitted probe: its scores, and what it says of each test frame."""

    scores: ProbeScores
    guess: tuple[int, ...]


def fit_probe(data: ProbeData, name: str, *, stand_in: bool = False) -> Probe | None:
    """Fits a probe and scores it on the test frames; None where the data cannot carry one.

    Args:
        data: embeddings with planes.
        name: of the probe.
        stand_in: see `PlaneScores`.
    """
    if not data.usable:
        return None
    (x, y), (held_x, held_y) = data.part(Split.TRAIN), data.part(Split.VALIDATION)
    c = max(C_GRID, key=lambda c: _four_f1(held_y, _fit(x, y, c).predict(held_x)))
    test_x, test_y = data.part(Split.TEST)
    guess = [int(plane) for plane in _fit(x, y, c).predict(test_x)]
    known = sorted(set(y.tolist()))
    scores = plane_scores(
        name, test_y.tolist(), guess, data.test_groups, known=known, stand_in=stand_in
    )
    if scores is None:
        return None
    few = tuple(_few_labels(data, percent, c) for percent in FEW_PERCENT)
    return Probe(ProbeScores(c, scores, few), tuple(guess))


def draw_labels(planes: Sequence[int], percent: int, draw: int) -> list[int]:
    """Returns which frames keep their label: `percent` of each class, at least one."""
    generator = np.random.default_rng((percent, draw))
    kept: list[int] = []
    for plane in sorted(set(planes)):
        rows = np.flatnonzero(np.asarray(planes) == plane)
        count = max(1, round(len(rows) * percent / 100))
        kept += generator.choice(rows, count, replace=False).tolist()
    return sorted(kept)


def _few_labels(data: ProbeData, percent: int, c: float) -> FewLabels:
    (x, y), (test_x, test_y) = data.part(Split.TRAIN), data.part(Split.TEST)
    inside = np.isin(test_y, FOUR)
    truth = test_y[inside].tolist()
    stacked, singles, labelled = [], [], 0
    for draw in range(DRAWS):
        rows = draw_labels(y.tolist(), percent, draw)
        labelled = len(rows)
        guess = _fit(x[rows], y[rows], c).predict(test_x[inside]).tolist()
        stacked.append(confusion_rows(truth, guess))
        singles.append(_four_f1(np.asarray(truth), np.asarray(guess)))
    rows_of_all = np.concatenate(stacked, axis=1)  # (N, draws * planes * columns)
    groups = [g for g, held in zip(data.test_groups, inside, strict=True) if held]
    figure = Resampler(groups).figure(
        rows_of_all,
        lambda sums: np.mean(
            [macro_f1(part, FOUR) for part in np.split(sums, DRAWS, axis=-1)], axis=0
        ),
    )
    return FewLabels(percent, labelled, figure, min(singles), max(singles))


def _fit(x: Embeddings, y: NDArray[np.int64], c: float) -> LogisticRegression:
    return LogisticRegression(C=c, max_iter=5000).fit(x, y)


def _four_f1(truth: NDArray[np.int64], guess: NDArray[np.int64]) -> float:
    inside = np.isin(truth, FOUR)
    rows = confusion_rows(truth[inside].tolist(), guess[inside].tolist())
    return float(macro_f1(rows.sum(axis=0), FOUR))
