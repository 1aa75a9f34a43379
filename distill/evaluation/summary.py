"""The main table: every figure that a reader looks for first, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from distill.evaluation.bootstrap import Figure
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.planes import PlaneScores
from distill.evaluation.probe import ProbeScores

STAND_IN = " (stand-in)"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure in words; `unit` is mm, d (days), or empty for a share or a coefficient."""

    metric: str
    figure: Figure
    unit: str = ""

    @property
    def value(self) -> str:
        """The value with its unit."""
        return f"{self._number(self.figure.value)} {self.unit}".strip()

    @property
    def interval(self) -> str:
        """The interval, or a dash."""
        if self.figure.interval is None:
            return "-"
        low, high = map(self._number, self.figure.interval)
        return f"{low} to {high} {self.unit}".strip()

    @property
    def bracketed(self) -> str:
        """The value without its unit, and the interval in brackets."""
        value = self._number(self.figure.value)
        if self.figure.interval is None:
            return value
        low, high = map(self._number, self.figure.interval)
        return f"{value} ({low} to {high})"

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Metric, value, interval, frames, groups."""
        return self.metric, self.value, self.interval, str(self.figure.n), str(self.figure.groups)

    def _number(self, value: float) -> str:
        return f"{value:.2f}" if self.unit else f"{value:.3f}"


def classification_name(scores: PlaneScores) -> str:
    """Returns what a classification is called; a stand-in is never named without that word."""
    name = f"zero-shot {scores.name}" if scores.zero_shot else f"{scores.name} head"
    return name + (STAND_IN if scores.stand_in else "")


def main_rows(evaluation: Evaluation) -> tuple[Row, ...]:
    """Returns the rows of the main table, without those that were not measured."""
    rows = (
        *_heads(evaluation),
        *_planes(evaluation),
        *_probes(evaluation),
        *_ages(evaluation),
    )
    return tuple(Row(name, figure, unit) for name, figure, unit in rows if figure is not None)


_Maybe = tuple[str, Figure | None, str]


def _heads(evaluation: Evaluation) -> Iterator[_Maybe]:
    if evaluation.heads is not None:
        yield "head DSC, mean per image", evaluation.heads.dsc, ""
        yield "head DSC, pooled over pixels", evaluation.heads.dsc_pooled, ""
        if (hc := evaluation.heads.hc) is not None:
            yield "HC mean absolute error, gate off", hc.mean_abs, "mm"
            yield "HC bias, measured - true", hc.bias, "mm"
            yield "HC lower 95 % limit of agreement", hc.lower, "mm"
            yield "HC upper 95 % limit of agreement", hc.upper, "mm"
    yield "share of heads that the gate withholds", evaluation.gate.withheld, ""
    yield "share of other planes where HC is shown", evaluation.gate.shown_elsewhere, ""


def _planes(evaluation: Evaluation) -> Iterator[_Maybe]:
    for scores in evaluation.planes:
        name = classification_name(scores)
        yield f"{name}: macro F1, four classes", scores.four, ""
        yield f"{name}: macro F1, every class that it can say", scores.all, ""
    if evaluation.shortcut is not None:
        yield "form of the file alone: macro F1, four classes", evaluation.shortcut.test, ""


def _probes(evaluation: Evaluation) -> Iterator[_Maybe]:
    if evaluation.probe is not None:
        yield from _probe(evaluation.probe, "linear probe")
    if (kept := evaluation.retention) is not None:
        note = STAND_IN if kept.stand_in else ""
        yield from _probe(kept.probe, f"linear probe of {kept.teacher}{note}")
        yield f"retention: probe F1 over that of {kept.teacher}{note}", kept.f1_ratio, ""


def _probe(scores: ProbeScores, name: str) -> Iterator[_Maybe]:
    yield f"{name}: macro F1, four classes", scores.all_labels.four, ""
    yield f"{name}: macro F1, every class of its training", scores.all_labels.all, ""
    for few in scores.few:
        words = f"{few.percent} % of the labels ({few.labelled})"
        yield f"{name}: macro F1, four classes, {words}", few.four, ""


def _ages(evaluation: Evaluation) -> Iterator[_Maybe]:
    for scores in evaluation.ages:
        note = STAND_IN if scores.stand_in else ""
        yield f"age by {scores.name}{note}: VPR", scores.vpr, ""
        if scores.days is not None:
            yield f"age by {scores.name}{note}: mean absolute error", scores.days.mean_abs, "d"
