"""`fetalclip-edge bench`: every precision and backend at hand, and other architectures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    model: Annotated[Path | None, typer.Option(help="Bundle folder.")] = None,
    compare: Annotated[
        list[Path] | None, typer.Option(help="Another ONNX file, timed whole; may be repeated.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds.")] = 200,
    threads: Annotated[int, typer.Option(min=0, help="0 lets the backend choose.")] = 0,
    output_json: Annotated[Path | None, typer.Option(help="Write the run as JSON.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page.")] = None,
) -> None:
    """Time a bundle: network and end to end, in every precision that runs here."""
    from rich.console import Console
    from rich.table import Table

    from fetalclip_edge.bench_report import COLUMNS, bench_page, cells, machine
    from fetalclip_edge.benching import bench as run
    from fetalclip_edge.bundle.load import default_bundle_path, load_bundle
    from fetalclip_edge.report.write import write_whole

    bundle = load_bundle(default_bundle_path() if model is None else model)
    done = run(bundle, tuple(compare or ()), rounds=rounds, threads=threads)
    if output_json is not None:
        write_whole(output_json, done.json())
    if report is not None:
        bench_page(done).write(report)
    table = Table(*COLUMNS, box=None)
    for row in done.rows:
        table.add_row(*cells(done, row))
    Console(width=180).print(table, markup=False)
    typer.echo(machine(done))
    for reason in done.not_run:
        typer.echo(f"not run here: {reason}", err=True)
