"""The page's part on heads: agreement, outlines, trimesters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from distill.evaluation.evaluation import Evaluation
from distill.evaluation.growth import Trimester
from distill.evaluation.heads import HeadOutcome, TrimesterScores
from distill.evaluation.summary import Row
from fetalclip_edge.report.blocks import Block, Column, Figure, Heading, Table
from fetalclip_edge.report.charts.histogram import Histogram
from fetalclip_edge.report.charts.points import BlandAltman, PointSeries

_NAMES = {
    Trimester.FIRST: "first trimester",
    Trimester.SECOND: "second trimester",
    Trimester.THIRD: "third trimester",
}


def head_blocks(evaluation: Evaluation, heads: Sequence[HeadOutcome]) -> Iterator[Block]:
    """Yields the blocks; none where no frame has a true head."""
    if evaluation.heads is None:
        return
    yield Heading("Heads")
    hc = evaluation.heads.hc
    series = tuple(
        PointSeries(name, points)
        for trimester, name in _NAMES.items()
        if (points := _points([head for head in heads if head.trimester is trimester]))
    )
    if hc is not None and series:
        yield Figure(
            BlandAltman(series, hc.bias.value, (hc.lower.value, hc.upper.value), "HC", "mm"),
            f"Head circumference, measured against true, {evaluation.heads.n_measured} of "
            f"{evaluation.heads.dsc.n} frames, gate off. Dashed: 95 % limits of agreement.",
        )
    yield Table(
        (
            Column("trimester"),
            Column("frames", numeric=True),
            Column("measured", numeric=True),
            Column("DSC", numeric=True),
            Column("DSC pooled", numeric=True),
            Column("HC error, mm", numeric=True),
            Column("HC bias, mm", numeric=True),
            Column("limits of agreement, mm", numeric=True),
        ),
        tuple(map(_trimester_row, evaluation.trimesters)),
        "By trimester of the true HC; intervals in brackets",
    )
    yield Figure(
        Histogram(tuple(head.dsc for head in heads), "DSC per image"),
        f"Overlap of outlined and true head over {len(heads)} frames.",
    )


def _points(heads: Sequence[HeadOutcome]) -> tuple[tuple[float, float], ...]:
    return tuple(
        (head.true_hc_mm + off / 2, off) for head in heads if (off := head.off_mm) is not None
    )


def _trimester_row(item: TrimesterScores) -> tuple[str, ...]:
    scores, hc = item.scores, item.scores.hc
    words = [_NAMES[item.trimester].split()[0], str(scores.dsc.n), str(scores.n_measured)]
    words += [Row("", scores.dsc).bracketed, f"{scores.dsc_pooled.value:.3f}"]
    if hc is None:
        return (*words, "-", "-", "-")
    limits = f"{hc.lower.value:+.2f} to {hc.upper.value:+.2f}"
    return (*words, Row("", hc.mean_abs, "mm").bracketed, f"{hc.bias.value:+.2f}", limits)
