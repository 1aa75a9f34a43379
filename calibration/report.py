"""The calibration report: the same record for people, with pictures of what INT8 changes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from calibration.calibrating import Calibrated, Candidate
from calibration.gate import Figure
from calibration.held_out import HeldOut, Outcome
from calibration.summary import (
    HalfRecord,
    Summary,
    TargetRecord,
    advice,
    half_advice,
    method_note,
)
from fetalclip_edge.frame import Pixels
from fetalclip_edge.geometry import Ellipse
from fetalclip_edge.report.axis import Axis
from fetalclip_edge.report.blocks import (
    Block,
    Column,
    Heading,
    Note,
    Paragraph,
    Picture,
    PictureGrid,
    Table,
)
from fetalclip_edge.report.blocks import Figure as Plot
from fetalclip_edge.report.charts.bars import Bar, BarChart
from fetalclip_edge.report.page import Page
from fetalclip_edge.sources.images import read_image

WORST = 4
"""Frames whose HC changed most, shown side by side."""

_MAX_BARS = 40
_FP32_BGR, _INT8_BGR, _TRUE_BGR = (255, 160, 0), (0, 120, 255), (120, 220, 120)


def report_page(summary: Summary, calibrated: Calibrated) -> Page:
    """Returns the page for a record and what it was made from."""
    blocks: list[Block] = [Heading("What came of it")]
    blocks += [Paragraph(advice(record)) for record in summary.targets]
    if summary.half is not None:
        blocks.append(Paragraph(half_advice(summary.half)))
    blocks.append(
        Note(
            "Research use only. No file was run on TensorRT for these figures. This page "
            "shows frames: keep it where the frames themselves may be kept."
        )
    )
    blocks += _set_blocks(summary)
    blocks += _range_blocks(summary)
    for record, candidate in zip(summary.targets, calibrated.candidates, strict=True):
        blocks += _target_blocks(record)
        blocks += _worst_blocks(calibrated, candidate)
    if summary.half is not None:
        blocks += _half_blocks(summary.half)
    return Page(
        title=f"INT8 calibration of {summary.bundle} {summary.version}",
        subtitle=f"bundle {summary.digest[:12]}, calibration set "
        f"{summary.calibration_set_sha256[:12]}",
        blocks=tuple(blocks),
    )


def _set_blocks(summary: Summary) -> list[Block]:
    over = ", ".join(f"{count} {reason}" for reason, count in summary.passed_over) or "none"
    blocks: list[Block] = [
        Heading("Calibration set"),
        Paragraph(f"{summary.calibration_frames} frames; passed over: {over}."),
        Table(
            (Column("aspect"), Column("bin"), Column("found", True), Column("chosen", True)),
            tuple((r.aspect, r.bin, str(r.found), str(r.chosen)) for r in summary.coverage),
        ),
    ]
    return blocks + [Note(f"Gap: {gap}.") for gap in summary.gaps]


def _range_blocks(summary: Summary) -> list[Block]:
    shown = summary.tensors[-_MAX_BARS:]
    reach = [max(abs(v) for v in tensor.min_max) for tensor in shown]
    bars = tuple(
        Bar(
            tensor.name[:32],
            whole,
            words=f"{tensor.min_max[0]:.3g} to {tensor.min_max[1]:.3g}; percentile "
            f"{tensor.percentile[0]:.3g} to {tensor.percentile[1]:.3g}",
        )
        for tensor, whole in zip(shown, reach, strict=True)
    )
    axis = Axis("largest magnitude", 0.0, 2.0 * max(1e-6, *reach))
    return [
        Heading("Activation ranges"),
        Paragraph(f"Of the fp32 file over the calibration set. {method_note()}."),
        Plot(BarChart(bars, axis), f"The last {len(bars)} tensors of the graph."),
    ]


def _target_blocks(record: TargetRecord) -> list[Block]:
    speed = record.speed
    facts = [
        ("made from", f"{record.source_precision} graph, {record.ranges} ranges"),
        ("run for its figures on", record.ran_on),
        ("layers in floating point", ", ".join(record.float_layers) or "none"),
        ("size", f"{record.bytes / 2**20:.2f} MiB, {record.share_of_fp32:.3f} of fp32"),
        (
            "one pass, taking turns",
            "not timed"
            if speed is None
            else f"fp32 {speed.fp32_p50_ms:.2f} ms, INT8 {speed.int8_p50_ms:.2f} ms at the median "
            f"of {speed.rounds}: {speed.ratio:.2f} times as fast",
        ),
    ]
    rows = [("test", f) for f in record.test] + [("validation", f) for f in record.validation]
    layers = record.sensitivities[:_MAX_BARS]
    blocks: list[Block] = [
        Heading(record.target),
        Table((Column("fact"), Column("value")), tuple(facts)),
        _figure_table(
            rows,
            "Against fp32. The search used the validation frames, the gate the test frames, once.",
        ),
        Table(
            (
                Column("ranges"),
                Column("float layers", True),
                Column("passes"),
                Column("HC change", True),
            ),
            tuple(
                (
                    t.ranges,
                    str(len(t.float_layers)),
                    "yes" if t.passed else "no",
                    f"{t.figures[0].value:.3f} mm",
                )
                for t in record.trials
            ),
            caption="The search, on validation frames.",
        ),
    ]
    if layers:
        top = max(item.error for item in layers)
        chart = BarChart(
            tuple(
                Bar(item.layer[:32], item.error, words=f"{item.error:.4f} ({item.worst_output})")
                for item in layers
            ),
            Axis("relative RMS error of the worst output", 0.0, 1.5 * max(top, 1e-9)),
        )
        blocks.append(Plot(chart, "What quantizing each layer alone does to the outputs."))
    return blocks


def _half_blocks(record: HalfRecord) -> list[Block]:
    rows = [("test", figure) for figure in record.test]
    return [Heading("fp16"), _figure_table(rows, f"Against fp32. Run on: {record.ran_on}.")]


def _figure_table(rows: Sequence[tuple[str, Figure]], caption: str) -> Table:
    columns = (
        Column("frames"),
        Column("figure"),
        Column("value", True),
        Column("up to (95 %)", True),
        Column("limit", True),
        Column("n", True),
        Column("holds"),
    )
    return Table(columns, tuple(_figure_row(*row) for row in rows), caption=caption)


def _figure_row(split: str, figure: Figure) -> tuple[str, ...]:
    return (
        split,
        figure.name,
        f"{figure.value:.4f}",
        f"{figure.upper_95:.4f}",
        f"{figure.limit:g}",
        str(figure.n),
        "yes" if figure.passed else "no",
    )


def _worst_blocks(calibrated: Calibrated, candidate: Candidate) -> list[Block]:
    pairs = [
        (abs(a.hc_mm - b.hc_mm), a, b)
        for a, b in zip(calibrated.reference, candidate.outcomes, strict=False)
        if a.hc_mm is not None and b.hc_mm is not None and a.dsc is not None
    ]
    worst = sorted(pairs, key=lambda item: (-item[0], item[1].frame.image.name))[:WORST]
    if not worst:
        return []
    pictures = tuple(
        Picture(
            _side_by_side(calibrated.test, before, after),
            f"{before.frame.image.name}: fp32 {before.hc_mm:.2f} mm, INT8 {after.hc_mm:.2f} mm, "
            f"true {before.frame.hc_mm or float('nan'):.2f} mm",
        )
        for _, before, after in worst
    )
    words = "The frames whose HC changed most: on the left fp32, on the right INT8; truth in green."
    return [Heading("Worst frames", 3), Paragraph(words), PictureGrid(pictures)]


def _side_by_side(test: HeldOut, before: Outcome, after: Outcome) -> Pixels:
    pixels = read_image(before.frame.image)
    truth = test.ellipse(before.frame)
    halves = []
    for outcome, colour in ((before, _FP32_BGR), (after, _INT8_BGR)):
        canvas = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR) if pixels.ndim == 2 else pixels.copy()
        for ellipse, line_bgr in ((truth, _TRUE_BGR), (outcome.ellipse, colour)):
            if ellipse is not None:
                _draw(np.asarray(canvas, np.uint8), ellipse, line_bgr)
        halves.append(np.asarray(canvas, np.uint8))
    return np.hstack(halves)


def _draw(canvas: Pixels, ellipse: Ellipse, colour_bgr: tuple[int, int, int]) -> None:
    center = (round(ellipse.center_xy[0]), round(ellipse.center_xy[1]))
    axes = (round(ellipse.semi_major), round(ellipse.semi_minor))
    angle_deg = float(np.degrees(ellipse.angle_rad))
    cv2.ellipse(canvas, center, axes, angle_deg, 0, 360, colour_bgr, 2, cv2.LINE_AA)
