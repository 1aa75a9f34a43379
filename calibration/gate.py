"""The gate: a file of lower precision holds against fp32 on held-out frames, or it is not used.

Every figure is judged by the upper end of its 95 % percentile bootstrap interval over frames
(B. Efron, Ann. Stat. 7(1), 1979), so that a small set cannot pass by luck.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.held_out import Outcome
from fetalclip_edge.bundle.acceptance import AcceptanceFigure
from fetalclip_edge.errors import CheckFailedError, InputError

MIN_HELD_OUT = 100
"""Fewest frames, of heads and of planes each, on which a file may be judged."""

MIN_PLANE_FRAMES = 5
"""A class with fewer frames has no F1 worth a name and is left out of the mean."""

Rows = NDArray[np.int64]
"""Row numbers (draws, n) of frames, each draw one resampling."""

_ROUNDS = 2000
_SEED = 0
_UPPER_PERCENT = 97.5


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file of lower precision may be from fp32.

    Attributes:
        hc_change_mean_mm: mean over frames of the absolute change of HC.
        hc_change_p95_mm: 95th percentile of it.
        dsc_drop: loss of the mean Dice coefficient, as a share of 1.
        plane_f1_drop: loss of the planes' macro F1, as a share of 1.
    """

    hc_change_mean_mm: float = 0.3
    hc_change_p95_mm: float = 1.0
    dsc_drop: float = 0.002
    plane_f1_drop: float = 0.005


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate found.

    Attributes:
        figures: as they would stand in the manifest, had they held.
        lost: frames on which one of the two files found a head and the other did not.
    """

    figures: tuple[Figure, ...]
    lost: int

    @property
    def passed(self) -> bool:
        """Whether the file holds in every respect."""
        return self.lost == 0 and all(figure.passed for figure in self.figures)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What does not hold, in words."""
        failed = [
            f"{f.name} up to {f.upper_95:.4g}, limit {f.limit:g}"
            for f in self.figures
            if not f.passed
        ]
        if self.lost:
            failed.append(f"{self.lost} heads found by one file alone")
        return tuple(failed)

    def __str__(self) -> str:
        return "passes" if self.passed else "; ".join(self.reasons)

    def accepted(self) -> tuple[AcceptanceFigure, ...]:
        """Returns the figures for the manifest.

        Raises:
            CheckFailedError: the file does not hold.
        """
        if not self.passed:
            raise CheckFailedError("gate", arrived="; ".join(self.reasons))
        return tuple(
            AcceptanceFigure(
                name=f.name,  # type: ignore[arg-type]  # one of the literals, which pydantic checks
                value=round(f.value, 6),
                upper_95=round(f.upper_95, 6),
                limit=f.limit,
                data=f.data,
                n=f.n,
            )
            for f in self.figures
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its bound; see `AcceptanceFigure`."""

    name: str
    value: float
    upper_95: float
    limit: float
    data: str
    n: int

    @property
    def passed(self) -> bool:
        """Whether the bound is within the limit."""
        return self.upper_95 <= self.limit


def judge(
    reference: Sequence[Outcome], candidate: Sequence[Outcome], limits: Limits | None = None
) -> Verdict:
    """Compares a file with the reference, frame by frame.

    Args:
        reference: outcomes of the fp32 file.
        candidate: outcomes of the other file on the same frames in the same order.
        limits: what it is held to.

    Raises:
        InputError: too few frames with a head, or with a plane, to judge by.
    """
    limits = limits or Limits()
    pairs = list(zip(reference, candidate, strict=True))
    heads = [(a, b) for a, b in pairs if a.dsc is not None and b.dsc is not None]
    planes = [(a, b) for a, b in pairs if a.frame.outline is None and a.frame.plane is not None]
    for what, n in (("a head's outline", len(heads)), ("a labelled plane", len(planes))):
        if n < MIN_HELD_OUT:
            raise InputError(
                f"held-out frames with {what}",
                expected=f"at least {MIN_HELD_OUT}",
                arrived=f"{n}",
                remedy="Give a table with more frames of the split",
            )
    changes = np.array(
        [abs(a.hc_mm - b.hc_mm) for a, b in heads if a.hc_mm is not None and b.hc_mm is not None]
    )
    drops = np.array([(a.dsc or 0.0) - (b.dsc or 0.0) for a, b in heads])
    lost = sum((a.hc_mm is None) != (b.hc_mm is None) for a, b in heads)
    where = _data(heads), _data(planes)
    truth = np.array([str(a.frame.plane) for a, _ in planes])
    said = np.array([[str(a.plane), str(b.plane)] for a, b in planes])
    classes = tuple(
        name for name in sorted(set(truth)) if int((truth == name).sum()) >= MIN_PLANE_FRAMES
    )

    def f1_drop(rows: Rows) -> NDArray[np.float64]:
        before, after = (_macro_f1(truth, said[:, k], classes, rows) for k in (0, 1))
        return np.asarray(before - after)

    def percentile(rows: Rows) -> NDArray[np.float64]:
        return np.asarray(np.percentile(changes[rows], 95, axis=1))

    return Verdict(
        figures=(
            _figure("hc_change_mean_mm", lambda rows: changes[rows].mean(axis=1),
                    len(changes), limits.hc_change_mean_mm, where[0]),
            _figure("hc_change_p95_mm", percentile,
                    len(changes), limits.hc_change_p95_mm, where[0]),
            _figure("dsc_drop", lambda rows: drops[rows].mean(axis=1),
                    len(drops), limits.dsc_drop, where[0]),
            _figure("plane_f1_drop", f1_drop, len(planes), limits.plane_f1_drop, where[1]),
        ),
        lost=lost,
    )  # fmt: skip


def _figure(
    name: str, value: Callable[[Rows], NDArray[np.float64]], n: int, limit: float, data: str
) -> Figure:
    if n == 0:
        return Figure(name, float("inf"), float("inf"), limit, data, 0)
    drawn = value(np.random.default_rng(_SEED).integers(0, n, (_ROUNDS, n)))
    upper = float(np.percentile(drawn, _UPPER_PERCENT))
    return Figure(name, float(value(np.arange(n)[None])[0]), upper, limit, data, n)


def _data(pairs: Sequence[tuple[Outcome, Outcome]]) -> str:
    return ", ".join(sorted({a.frame.data_set for a, _ in pairs}))


def _macro_f1(
    truth: NDArray[np.str_], guess: NDArray[np.str_], classes: tuple[str, ...], rows: Rows
) -> NDArray[np.float64]:
    """Returns the mean over `classes` of 2TP / (2TP + FP + FN), for each draw of rows."""
    values = []
    for name in classes:
        hit = ((truth == name) & (guess == name))[rows].sum(axis=1)
        wrong = ((truth == name) != (guess == name))[rows].sum(axis=1)
        values.append(2 * hit / np.maximum(1, 2 * hit + wrong))
    return np.asarray(np.mean(values, axis=0) if values else np.zeros(len(rows)))
