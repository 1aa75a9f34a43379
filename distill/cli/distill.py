"""`fetalclip-edge distill`: labelled frames to a trained student."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distill.data.cache import CachedFrames
from distill.data.checks import near_pairs_across_splits, refuse_near_pairs, write_split
from distill.data.sample import Split
from distill.data.standard import load_standard
from distill.model import PRESETS, StudentSpec
from distill.run_record import RunRecord
from distill.train import TrainConfig, train


def command(
    data: Annotated[Path, typer.Option(help="Folder that holds hc18/ and planes/.")],
    run: Annotated[Path, typer.Option(help="Folder of the run; an unfinished one goes on.")],
    preset: Annotated[str, typer.Option(help=f"Encoder: {', '.join(PRESETS)}.")] = PRESETS[0],
    epochs: Annotated[int, typer.Option(min=1)] = 60,
    refuse_near_duplicates: Annotated[
        bool, typer.Option(help="Fail where two parts hold nearly the same picture.")
    ] = False,
) -> None:
    """Train a student on masks and planes together; the epoch best on validation is kept."""
    record = RunRecord(StudentSpec(preset), TrainConfig(epochs=epochs))
    samples = load_standard(data)
    pairs = near_pairs_across_splits(samples)
    for pair in pairs:
        typer.echo(f"nearly the same picture: {pair}", err=True)
    typer.echo(f"near-duplicates across the parts: {len(pairs)}", err=True)
    if refuse_near_duplicates:
        refuse_near_pairs(pairs)
    record.save(run)
    write_split(samples, run / "split.csv")
    frames = {
        split: CachedFrames([s for s in samples if s.split is split], record.config.size_px)
        for split in (Split.TRAIN, Split.VALIDATION)
    }
    best = train(record.spec, record.config, frames[Split.TRAIN], frames[Split.VALIDATION], run)
    typer.echo(f"validation: head DSC {best.dsc:.4f}, plane F1 {best.f1:.4f}")
