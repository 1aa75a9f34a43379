"""`fetalclip-edge embed`: a teacher and frames to a teacher store."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import Progress

from distill.data.sample import Sample
from distill.data.standard import load_standard
from distill.store.build import FRAMES_PER_SHARD, build_store
from distill.store.estimate import FRAMES_MEASURED, StoreEstimate, measure_rate
from distill.teacher.gray_rgb import gray_rgb_cosine
from distill.teacher.load import load_teacher
from distill.teacher.teacher import Teacher
from fetalclip_edge.cli.console import progress_console
from fetalclip_edge.errors import UsageError
from fetalclip_edge.sources.images import read_image

_COLOUR_LOOKED_AT = 64


def command(
    data: Annotated[Path, typer.Option(help="Folder that holds hc18/ and planes/.")],
    store: Annotated[Path, typer.Option(help="Folder of the store; an unfinished one goes on.")],
    teacher: Annotated[str, typer.Option(help='"fetalclip", or a folder with teacher.json.')],
    teacher_weights: Annotated[Path | None, typer.Option(help="FetalCLIP's weights.")] = None,
    teacher_sha256: Annotated[
        str | None, typer.Option(help="sha256 of the weights; default: as published.")
    ] = None,
    views: Annotated[int, typer.Option(min=1, max=1000, help="Views a frame.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the views.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure, print, write none.")] = False,
    images: Annotated[
        int | None, typer.Option(min=1, help="With --dry-run: number of images to reckon for.")
    ] = None,
) -> None:
    """Embed views of every frame with a teacher, once; under torchrun each rank does its part."""
    if images is not None and not dry_run:
        raise UsageError("--images", expected="--dry-run beside it", arrived="none")
    rank, world = _place("RANK", 0), _place("WORLD_SIZE", 1)
    if rank >= world:
        raise UsageError(
            "RANK and WORLD_SIZE", expected="RANK below it", arrived=f"{rank}, {world}"
        )
    samples = load_standard(data)
    loaded = load_teacher(teacher, teacher_weights, sha256=teacher_sha256, device=_device())
    stand_in = " (stand-in)" if loaded.stand_in else ""
    typer.echo(f"teacher: {loaded.name}{stand_in}, {loaded.licence}, space {loaded.space}")
    if dry_run:
        _estimate(loaded, samples, views, images or len(samples))
        return
    began = time.perf_counter()
    with Progress(console=progress_console(), transient=True) as bar:
        task = bar.add_task("embed", total=len(samples[rank::world]))
        built = build_store(
            loaded,
            samples,
            store,
            views=views,
            seed=seed,
            rank=rank,
            world=world,
            progress=lambda frames: bar.update(task, advance=frames),
        )
    seconds = time.perf_counter() - began
    rate = f", {built.made / seconds:.1f} images/s" if built.made else ""
    typer.echo(f"embedded {built.made} images x {views} views{rate}; {built.kept} stood already")
    if built.finished:
        size = sum(path.stat().st_size for path in store.iterdir())
        typer.echo(f"store {store}: {len(samples)} images, {size:,} bytes")
    else:
        typer.echo(f"store {store}: shards of other ranks are missing yet")
    if built.made and rank == 0:
        step = max(1, len(samples) // _COLOUR_LOOKED_AT)
        looked_at = (read_image(sample.image) for sample in samples[::step])
        typer.echo(str(gray_rgb_cosine(loaded, looked_at)))


def _estimate(teacher: Teacher, samples: list[Sample], views: int, images: int) -> None:
    estimate = StoreEstimate(images, views, teacher.dim, FRAMES_PER_SHARD)
    rate = measure_rate(teacher, samples, views)
    frames = min(FRAMES_MEASURED, len(samples))
    typer.echo(
        f"{images:,} images x {views} views: {estimate.array_bytes:,} bytes of arrays, "
        f"{estimate.hours(rate):,.1f} hours\n"
        f"The hours are extrapolated from {rate:.2f} views/s, measured here on {frames} images "
        f"with one process on {teacher.device}; torchrun divides them by its processes"
    )


def _place(variable: str, default: int) -> int:
    """Returns what torchrun says of this process."""
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise UsageError(f"{variable}", expected="a number, as torchrun sets it", arrived=text)
    return int(text)


def _device() -> torch.device | None:
    if not torch.cuda.is_available():
        return None
    return torch.device("cuda", _place("LOCAL_RANK", 0))
