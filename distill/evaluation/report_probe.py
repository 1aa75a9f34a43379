"""The page's part on embeddings: probes on all labels and on few, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator

from distill.evaluation.evaluation import Evaluation
from distill.evaluation.probe import DRAWS, ProbeScores
from distill.evaluation.summary import Row, marked
from fetalclip_edge.report.axis import Axis
from fetalclip_edge.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from fetalclip_edge.report.charts.lines import LineChart, LinePoint, LineSeries

_ALL_PERCENT = 100


def probe_blocks(evaluation: Evaluation) -> Iterator[Block]:
    """Yields the blocks; none where no probe could be fitted."""
    if evaluation.probe is None:
        return
    kept = evaluation.retention
    probes = [("this bundle", evaluation.probe)]
    if kept is not None:
        probes.append((marked(kept.teacher, kept.stand_in), kept.probe))
    yield Heading("Embeddings")
    yield Paragraph(
        "A logistic regression on frozen embeddings, fitted on training frames; its penalty was "
        f"chosen on validation frames with all labels (C = {evaluation.probe.c:g}). Few labels "
        f"are the mean over {DRAWS} draws, each with at least one frame of every class. "
        "Where an encoder was itself trained on labels of these frames, few labels show how well "
        "its classes are set apart, not how few labels it needs."
    )
    if kept is not None:
        word = "stand-in teacher" if kept.stand_in else "teacher"
        yield Paragraph(
            f"Retention: {Row('', kept.f1_ratio).bracketed} of the macro F1 of the {word} "
            f"{kept.teacher} ({kept.licence}) over {kept.f1_ratio.n} frames; the interval draws "
            "the same patients for both."
        )
    yield Figure(
        LineChart(
            tuple(LineSeries(name, _points(scores)) for name, scores in probes),
            Axis("labelled training frames", 0.8, 125.0, "%", log=True, marks=_marks(probes[0][1])),
            Axis.around(_heights(probes), "macro F1, four classes", include=1.0),
        ),
        "Linear probe by the share of labels, with 95 % intervals.",
    )
    yield Table(
        (
            Column("embeddings"),
            Column("labels", numeric=True),
            Column("macro F1, four classes", numeric=True),
            Column("worst and best draw", numeric=True),
        ),
        tuple(row for name, scores in probes for row in _rows(name, scores)),
    )


def _points(scores: ProbeScores) -> tuple[LinePoint, ...]:
    all_labels = scores.all_labels.four
    few = [LinePoint(few.percent, few.four.value, few.four.interval) for few in scores.few]
    return (*few, LinePoint(_ALL_PERCENT, all_labels.value, all_labels.interval))


def _heights(probes: list[tuple[str, ProbeScores]]) -> list[float]:
    return [
        value
        for _, scores in probes
        for point in _points(scores)
        for value in (point.y, *(point.interval or ()))
    ]


def _marks(scores: ProbeScores) -> tuple[float, ...]:
    return (*(few.percent for few in scores.few), _ALL_PERCENT)


def _rows(name: str, scores: ProbeScores) -> Iterator[tuple[str, str, str, str]]:
    for few in scores.few:
        draws = f"{few.lowest:.3f} to {few.highest:.3f}"
        yield name, f"{few.percent} % ({few.labelled})", Row("", few.four).bracketed, draws
    yield name, "all", Row("", scores.all_labels.four).bracketed, "-"
