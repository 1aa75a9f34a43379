"""`fetalclip-edge frames`: the labelled frames of the public data sets as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distill.data.planes import PLANES
from distill.data.sample import Split
from distill.data.standard import load_standard
from fetalclip_edge.labelled_frames import LabelledFrame, labelled_frames_csv


def command(
    data: Annotated[Path, typer.Option(help="Folder that holds hc18/ and planes/.")],
    output: Annotated[Path, typer.Option(help="The table, CSV.")],
) -> None:
    """List labelled frames with their split, for `calibrate`."""
    samples = load_standard(data.resolve())
    frames = [
        LabelledFrame(
            image=sample.image,
            data_set=sample.data_set,
            split=sample.split.value,
            plane=None if sample.plane is None else PLANES[sample.plane],
            outline=sample.outline,
            spacing_mm=sample.spacing_mm,
            hc_mm=sample.hc_mm,
        )
        for sample in samples
    ]
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.part")
    partial.write_bytes(labelled_frames_csv(frames))
    partial.replace(output)
    for split in Split:
        typer.echo(f"{split.value}: {sum(s.split is split for s in samples)} frames")
