"""The page's part on planes: confusion, classes, and what the files' form alone tells."""

from __future__ import annotations

from collections.abc import Iterator

from distill.evaluation.evaluation import Evaluation
from distill.evaluation.planes import ClassScore, PlaneScores
from distill.evaluation.shortcut import ShortcutScores
from distill.evaluation.summary import Row, classification_name
from fetalclip_edge.report.axis import Axis
from fetalclip_edge.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from fetalclip_edge.report.charts.bars import Bar, BarChart
from fetalclip_edge.report.charts.confusion import ConfusionMatrix


def plane_blocks(evaluation: Evaluation) -> Iterator[Block]:
    """Yields the blocks; none where no frame has a plane."""
    if evaluation.planes or evaluation.shortcut is not None:
        yield Heading("Planes")
    for scores in evaluation.planes:
        yield Heading(classification_name(scores), 3)
        yield Figure(
            ConfusionMatrix(
                tuple(item.name for item in scores.by_class), scores.guesses, scores.confusion
            ),
            "Counts of test frames; the shade is the share of the row.",
        )
        yield Figure(_bars(scores), "F1 by class, with 95 % intervals.")
        yield Table(
            (
                Column("class"),
                Column("F1", numeric=True),
                Column("precision", numeric=True),
                Column("recall", numeric=True),
                Column("frames", numeric=True),
            ),
            tuple(map(_class_row, scores.by_class)),
        )
    if evaluation.shortcut is not None:
        yield from _shortcut(evaluation.shortcut)


def _bars(scores: PlaneScores) -> BarChart:
    bars = tuple(Bar(item.name, item.f1.value, item.f1.interval) for item in scores.by_class)
    return BarChart(bars, Axis("F1", 0.0, 1.0))


def _class_row(item: ClassScore) -> tuple[str, ...]:
    precision = "-" if item.precision is None else f"{item.precision:.3f}"
    return item.name, Row("", item.f1).bracketed, precision, f"{item.recall:.3f}", str(item.n)


def _shortcut(scores: ShortcutScores) -> Iterator[Block]:
    yield Heading("What the form of the files tells", 3)
    yield Paragraph(
        "A collection that was put together from several places may give its classes away by "
        "the form of its files. A random forest was fitted on training frames to that form "
        f"alone: {', '.join(scores.features)}. Bytes and gray levels also follow what is shown, so "
        "that this is the most that form can give away; what a model scores above it comes from "
        "the picture itself."
    )
    yield Table(
        (Column("macro F1, four classes"), Column("value", numeric=True), Column("frames", True)),
        tuple(
            (name, Row("", figure).bracketed, str(figure.n))
            for name, figure in (
                ("form of the file, validation frames", scores.validation),
                ("form of the file, test frames", scores.test),
                ("always the commonest class, test frames", scores.chance),
            )
        ),
    )
