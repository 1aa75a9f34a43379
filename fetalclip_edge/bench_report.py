"""The page of a benchmark: the table and the medians as bars."""

from __future__ import annotations

from fetalclip_edge.benching import Bench, BenchRow
from fetalclip_edge.report.axis import Axis
from fetalclip_edge.report.blocks import Block, Column, Figure, Heading, Note, Paragraph, Table
from fetalclip_edge.report.charts.bars import Bar, BarChart
from fetalclip_edge.report.page import Page

COLUMNS = (
    "what", "backend", "precision", "scope", "p50 ms", "p95 ms", "p99 ms", "a second", "x fp32",
    "MiB file", "MiB memory", "DSC", "F1",
)  # fmt: skip
_WORDS = 4
"""The first columns are words, the rest numbers."""


def cells(bench: Bench, row: BenchRow) -> tuple[str, ...]:
    """Returns a row in words, in the order of `COLUMNS`."""
    timing, ratio = row.timing, bench.ratio(row)
    return (
        row.what,
        row.backend,
        row.precision,
        row.scope,
        f"{timing.p50_ms:.2f}",
        f"{timing.p95_ms:.2f}",
        f"{timing.p99_ms:.2f}",
        f"{timing.per_second:.1f}",
        _number(ratio, 2),
        f"{row.file_bytes / 2**20:.2f}",
        _number(row.memory_mib, 0),
        _number(row.dsc, 3),
        _number(row.plane_f1, 3),
    )


def machine(bench: Bench) -> str:
    """Returns what it ran on, in one sentence."""
    load = "unknown" if bench.load is None else f"{bench.load:.2f}"
    target = bench.target
    parts = [f"{bench.processors} processors of {bench.processor}", f"load before {load}"]
    if target.gpu_name is not None:
        parts.append(f"GPU {target.gpu_name}")
    parts.append(f"power mode {target.power_mode or 'unknown'}")
    return ", ".join(parts)


def bench_page(bench: Bench) -> Page:
    """Returns the page."""
    bars = tuple(
        Bar(f"{row.precision}, {row.scope}, {row.what}"[:60], row.timing.p50_ms,
            words=f"{row.timing.p50_ms:.2f} ms")
        for row in bench.rows
    )  # fmt: skip
    longest = max(bar.value for bar in bars)
    blocks: list[Block] = [
        Paragraph(
            "All were timed in one run, in bursts that took turns. Frames are the phantom's, "
            "800 x 540; files compared with are timed whole, on made-up input. DSC and F1 are "
            "those of the bundle's manifest."
        ),
        Heading("Durations"),
        Table(
            tuple(Column(name, numeric=i >= _WORDS) for i, name in enumerate(COLUMNS)),
            tuple(cells(bench, row) for row in bench.rows),
        ),
        Figure(BarChart(bars, Axis("median", 0.0, 1.3 * longest, "ms")), "Median durations."),
    ]
    blocks += [Note(f"Not run here: {reason}.") for reason in bench.not_run]
    return Page("Benchmark", machine(bench), tuple(blocks))


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
