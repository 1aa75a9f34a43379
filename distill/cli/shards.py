"""`fetalclip-edge shards`: labelled frames to image-text shards for pre-training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import track

from distill.data.pairs import PairSpec
from distill.data.shards import Shards
from distill.data.standard import load_standard
from distill.data.write_shards import index_own_shards, write_shards
from distill.pretrain.models import ModelName, model_config
from fetalclip_edge.cli.console import progress_console
from fetalclip_edge.errors import UsageError


def command(
    output: Annotated[Path, typer.Option(help="Folder of the shards.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder that holds hc18/ and planes/: write shards of their frames."),
    ] = None,
    own: Annotated[
        str | None,
        typer.Option(help="Name of your data set: index the tar files that lie in --output."),
    ] = None,
    model: Annotated[
        ModelName, typer.Option(help="Who will learn from them: captions name its pixel spacing.")
    ] = ModelName.SMALL,
    views: Annotated[int, typer.Option(min=1, max=1000, help="Pairs of a frame.")] = 4,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Write pairs of training frames and captions, or index shards of your own."""
    size_px = model_config(model).image_size_px
    if (data is None) == (own is None):
        raise UsageError("shards", expected="either --data or --own", arrived="both or neither")
    if own is not None:
        done = index_own_shards(output, (own,), size_px)
    elif data is not None:
        torch.set_num_threads(1)  # the pictures are too small to share out
        console = progress_console()
        done = write_shards(
            load_standard(data),
            PairSpec(views=views, prompt_size_px=size_px, seed=seed),
            output,
            lambda pairs: track(pairs, "pairs", console=console, transient=True),
        )
    typer.echo(_summary(done))


def _summary(done: Shards) -> str:
    index = done.index
    mebibytes = sum(shard.bytes for shard in index.shards) / 2**20
    return (
        f"{index.pairs} pairs of {len(index.frames) or 'unnamed'} frames of "
        f"{', '.join(index.data)} in {len(index.shards)} shards, {mebibytes:.0f} MiB: {done.folder}"
    )
