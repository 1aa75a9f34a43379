"""HC18 and FETAL_PLANES_DB to a trained student and its bundle: one command, end to end.

python -m export.supervised --data DIR --run runs/NAME --preset resnet18_half --epochs 60
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distill.data.cache import CachedFrames
from distill.data.hc18 import load_hc18
from distill.data.planes import load_planes
from distill.data.sample import Split, check_no_leak
from distill.model import StudentSpec
from distill.train import TrainConfig, train
from export.pack import PackRequest, pack


def main(
    data: Annotated[Path, typer.Option(help="Folder that holds hc18/ and planes/.")],
    run: Annotated[Path, typer.Option(help="Folder of the run; an unfinished one goes on.")],
    bundle: Annotated[Path, typer.Option(help="Where the bundle goes.")],
    preset: Annotated[str, typer.Option(help="Encoder.")] = "resnet18_half",
    epochs: Annotated[int, typer.Option(min=1)] = 40,
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "0.1.0",
) -> None:
    """Trains (or goes on training) a student and packs the epoch that is best on validation."""
    samples = load_hc18(data / "hc18") + load_planes(data / "planes")
    check_no_leak(samples)
    spec, config = StudentSpec(preset), TrainConfig(epochs=epochs)
    frames = {
        split: CachedFrames([s for s in samples if s.split is split], config.size_px)
        for split in (Split.TRAIN, Split.VALIDATION)
    }
    best = train(spec, config, frames[Split.TRAIN], frames[Split.VALIDATION], run)
    typer.echo(f"validation: head DSC {best.dsc:.4f}, plane F1 {best.f1:.4f}", err=True)
    made = pack(PackRequest(run / "best.pt", spec, config, samples, bundle, version))
    for metric in made.manifest.metrics:
        typer.echo(f"{metric.name}: {metric.value} {metric.unit} {metric.interval_95} n={metric.n}")


if __name__ == "__main__":
    typer.run(main)
