"""The page's part on gestational age."""

from __future__ import annotations

from collections.abc import Iterator

from distill.evaluation.ages import AgeScores
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.summary import Row, marked
from fetalclip_edge.report.axis import Axis
from fetalclip_edge.report.blocks import Block, Column, Figure, Heading, Paragraph, Table
from fetalclip_edge.report.charts.bars import Bar, BarChart


def age_blocks(evaluation: Evaluation) -> Iterator[Block]:
    """Yields the blocks; none where no frame has a dated HC."""
    if not evaluation.ages:
        return
    yield Heading("Gestational age")
    yield Paragraph(
        "HC18 names no age. A predicted age counts as valid where the true HC lies between the "
        "2.5 % and the 97.5 % WHO quantile at that age (VPR), over frames with 100 to 342 mm. "
        "This is a weak measure: a constant guess shows what it is worth. Errors in days are "
        "against the age at which the true HC is the WHO median; errors in mm are of the WHO "
        "median at the predicted age. The constant is the one that is best on training frames. "
        "Two charts disagree by some days, and a chart's own spread between fetuses is in none "
        "of these figures."
    )
    bars = tuple(Bar(_name(a), a.vpr.value, a.vpr.interval) for a in evaluation.ages)
    yield Figure(BarChart(bars, Axis("VPR", 0.0, 1.0)), "Valid prediction rate by way of dating.")
    yield Table(
        (
            Column("age by"),
            Column("VPR", numeric=True),
            Column("error (d)", numeric=True),
            Column("bias (d)", numeric=True),
            Column("error (mm)", numeric=True),
            Column("frames", numeric=True),
        ),
        tuple(map(_row, evaluation.ages)),
        "Errors are mean absolute errors; intervals in brackets",
    )


def _name(scores: AgeScores) -> str:
    return marked(scores.name, scores.stand_in)


def _row(scores: AgeScores) -> tuple[str, ...]:
    days = ("-", "-")
    if scores.days is not None:
        days = Row("", scores.days.mean_abs, "d").bracketed, f"{scores.days.bias.value:+.2f}"
    mm = "-" if scores.mm is None else Row("", scores.mm.mean_abs, "mm").bracketed
    return _name(scores), Row("", scores.vpr).bracketed, *days, mm, str(scores.vpr.n)
