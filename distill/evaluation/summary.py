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
    if not scores.zero_shot:
        name = f"{scores.name} head"
    else:
        name = scores.name if "zero-shot" in scores.name else f"zero-shot {scores.name}"
    return marked(name, scores.stand_in)


def marked(name: str, stand_in: bool) -> str:
    """Returns a name that says of a stand-in that it is one, once."""
    return name + STAND_IN if stand_in and "stand-in" not in name else name


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
            yield "HC mean absolute error", hc.mean_abs, "mm"
            yield "HC bias", hc.bias, "mm"
            yield "HC lower limit of agreement", hc.lower, "mm"
            yield "HC upper limit of agreement", hc.upper, "mm"
    yield "HC withheld by the gate", evaluation.gate.withheld, ""
    yield "HC shown on other planes", evaluation.gate.shown_elsewhere, ""


def _planes(evaluation: Evaluation) -> Iterator[_Maybe]:
    for scores in evaluation.planes:
        name = classification_name(scores)
        yield f"{name}: F1, four classes", scores.four, ""
        yield f"{name}: F1, all its classes", scores.all, ""
    if evaluation.shortcut is not None:
        yield "form of the files alone: F1, four classes", evaluation.shortcut.test, ""


def _probes(evaluation: Evaluation) -> Iterator[_Maybe]:
    if evaluation.probe is not None:
        yield from _probe(evaluation.probe, "linear probe")
    if (kept := evaluation.retention) is not None:
        teacher = marked(kept.teacher, kept.stand_in)
        yield from _probe(kept.probe, f"linear probe of {teacher}")
        for scores in kept.zero_shot:
            yield f"{classification_name(scores)}: F1, four classes", scores.four, ""
        yield f"retention: probe F1 over that of {teacher}", kept.f1_ratio, ""


def _probe(scores: ProbeScores, name: str) -> Iterator[_Maybe]:
    yield f"{name}: F1, four classes", scores.all_labels.four, ""
    yield f"{name}: F1, all its classes", scores.all_labels.all, ""
    for few in scores.few:
        words = f"{few.percent} % of labels"
        yield f"{name}: F1, four classes, {words}", few.four, ""


def _ages(evaluation: Evaluation) -> Iterator[_Maybe]:
    for scores in evaluation.ages:
        name = marked(scores.name, scores.stand_in)
        yield f"age by {name}: VPR", scores.vpr, ""
        if scores.days is not None:
            yield f"age by {name}: mean error", scores.days.mean_abs, "d"
