"""`fetalclip-edge export`: a trained student to a bundle with its held-out figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distill.data.standard import load_standard
from distill.run_record import CHECKPOINT_NAME, RunRecord
from export.pack import PackRequest, pack
from fetalclip_edge.cli.console import progress_console


def command(
    run: Annotated[Path, typer.Option(help="Folder of a run of `fetalclip-edge distill`.")],
    data: Annotated[Path, typer.Option(help="Folder that holds hc18/ and planes/.")],
    bundle: Annotated[Path, typer.Option(help="Where the bundle goes.")],
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "0.1.0",
    half: Annotated[
        bool, typer.Option(help="Also make the typed fp16 file; a bundle without it is smaller.")
    ] = True,
) -> None:
    """Export with parity, choose the gate on validation, measure on test, and pack."""
    record = RunRecord.load(run)
    samples = load_standard(data, record.recipe.data.names)
    made = pack(PackRequest(run / CHECKPOINT_NAME, record, samples, bundle, version, half))
    manifest = made.bundle.manifest
    if record.teacher is not None:
        stated = f"teacher {manifest.provenance.teacher}, {record.teacher.licence}"
        note = f"{stated}; the licence of these weights: {manifest.weights_licence}"
        progress_console().print(note)
    for name, rows in (("fp32", made.fp32), ("fp16", made.fp16)):
        for row in rows:
            typer.echo(f"parity {name}: {row}")
    for metric in manifest.metrics:
        typer.echo(f"{metric.name}: {metric.value} {metric.unit} {metric.interval_95} n={metric.n}")
