"""How well planes are told apart: F1 by class and over classes, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.data.planes import FOUR_CLASSES, PLANES
from distill.evaluation.bootstrap import Figure, Floats, Resampler
from distill.evaluation.outcome import NONE_OF_THEM

FOUR = tuple(PLANES.index(name) for name in FOUR_CLASSES)
_COLUMNS = NONE_OF_THEM + 1


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: F1 with its interval, precision and recall in [0, 1], frames of the class.

    Precision is None where the class was never said.
    """

    name: str
    f1: Figure
    precision: float | None
    recall: float
    n: int


@dataclass(frozen=True, slots=True)
class PlaneScores:
    """How well one classification tells planes apart.

    Attributes:
        name: of the head, text bank or probe.
        zero_shot: a text bank says it.
        stand_in: it rests on a teacher that only stands in for the one that is meant.
        four: macro F1 over brain, abdomen, femur and thorax, on frames of these.
        all: macro F1 over every class it can say, on frames of these; None where that is `four`.
        by_class: the classes it can say and that have frames, on frames of any class.
        guesses: names of the columns of `confusion`.
        confusion: counts, one row for each of `by_class`, one column for each of `guesses`.
    """

    name: str
    zero_shot: bool
    stand_in: bool
    four: Figure
    all: Figure | None
    by_class: tuple[ClassScore, ...]
    guesses: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]


def confusion_rows(truth: Sequence[int], guess: Sequence[int]) -> Floats:
    """Returns one confusion matrix a frame, flat: (N, planes * (planes + 1)) of 0 and 1."""
    rows = np.zeros((len(truth), len(PLANES) * _COLUMNS))
    rows[np.arange(len(truth)), np.asarray(truth) * _COLUMNS + np.asarray(guess)] = 1.0
    return rows


def class_f1(sums: Floats) -> Floats:
    """Returns F1 of each class, (..., planes), from confusion counts, (..., planes * columns).

    2 TP / (2 TP + FP + FN); NaN where a class has no frame.
    """
    counts = sums.reshape(*sums.shape[:-1], len(PLANES), _COLUMNS)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    true, said = counts.sum(axis=-1), counts[..., : len(PLANES)].sum(axis=-2)
    total = np.where(true == 0, np.nan, true + said)
    return np.asarray(2.0 * hits / total)


def macro_f1(sums: Floats, classes: Sequence[int]) -> Floats:
    """Returns the mean of F1 over those of `classes` that have frames; see `class_f1`."""
    values = class_f1(sums)[..., list(classes)]
    there = ~np.isnan(values)
    number = np.where(there.any(axis=-1), there.sum(axis=-1), np.nan)
    return np.asarray(np.where(there, values, 0.0).sum(axis=-1) / number)


def f1_figure(
    truth: Sequence[int], guess: Sequence[int], groups: Sequence[str], classes: Sequence[int]
) -> Figure | None:
    """Returns macro F1 over `classes` on the frames of these, or None where there are none."""
    kept = [i for i, plane in enumerate(truth) if plane in classes]
    if not kept:
        return None
    rows = confusion_rows([truth[i] for i in kept], [guess[i] for i in kept])
    return Resampler([groups[i] for i in kept]).figure(rows, lambda sums: macro_f1(sums, classes))


def plane_scores(
    name: str,
    truth: Sequence[int],
    guess: Sequence[int],
    groups: Sequence[str],
    *,
    known: Sequence[int],
    zero_shot: bool = False,
    stand_in: bool = False,
) -> PlaneScores | None:
    """Returns the scores of one classification, or None where no frame is of the four classes.

    Args:
        name: of the head, text bank or probe.
        truth: index of the true plane of each frame.
        guess: index of what was said, or `NONE_OF_THEM`.
        groups: name of the group of each frame.
        known: indices of the classes that could be said.
        zero_shot: see `PlaneScores`.
        stand_in: see `PlaneScores`.
    """
    four = f1_figure(truth, guess, groups, FOUR)
    if four is None:
        return None
    rows = confusion_rows(truth, guess)
    counts = np.asarray(rows.sum(axis=0).reshape(len(PLANES), _COLUMNS), np.int64)
    classes = [k for k in known if counts[k].sum() > 0]
    resampler = Resampler(groups)
    columns = [k for k in range(_COLUMNS) if k in known or counts[:, k].any()]
    names = (*PLANES, "none of these")
    return PlaneScores(
        name=name,
        zero_shot=zero_shot,
        stand_in=stand_in,
        four=four,
        all=None if set(known) == set(FOUR) else f1_figure(truth, guess, groups, known),
        by_class=tuple(_class_score(k, counts, rows, resampler) for k in classes),
        guesses=tuple(names[k] for k in columns),
        confusion=tuple(tuple(int(counts[k, c]) for c in columns) for k in classes),
    )


def _class_score(
    k: int, counts: NDArray[np.int64], rows: Floats, resampler: Resampler
) -> ClassScore:
    said, true = int(counts[:, k].sum()), int(counts[k].sum())
    return ClassScore(
        name=PLANES[k],
        f1=resampler.figure(rows, lambda sums: class_f1(sums)[..., k]),
        precision=float(counts[k, k] / said) if said else None,
        recall=float(counts[k, k] / true),
        n=true,
    )
