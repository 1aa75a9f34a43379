"""Frames a second, latency and memory of the whole loop over a clip played again and again.

python examples/bench_stream.py clip.mkv --frames 20000
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import psutil
import typer

from fetalclip_edge.latency import LatencyRecorder
from fetalclip_edge.model import Model
from fetalclip_edge.opening_feed import open_feed
from fetalclip_edge.signal import Tick
from fetalclip_edge.sinks.jsonl import JsonlSink
from fetalclip_edge.streaming import StreamRun
from fetalclip_edge.tracker import GeometryTracker

SETTLED = 2_000  # frames after which memory has to stay as it is


def main(
    clip: Annotated[str, typer.Argument(help="A video file.")],
    frames: Annotated[int, typer.Option(min=SETTLED + 1, help="Frames in all.")] = 20_000,
    spacing_mm: Annotated[float, typer.Option(help="mm per pixel.")] = 0.15,
) -> None:
    """Streams with a record on disk and prints what it took."""
    process = psutil.Process()
    rss_mb: dict[int, float] = {}

    def ticks() -> Iterator[Tick]:
        plays = itertools.chain.from_iterable(_play(clip) for _ in itertools.count())
        for number, tick in enumerate(itertools.islice(plays, frames), start=1):
            yield tick
            if number in (SETTLED, frames):
                rss_mb[number] = process.memory_info().rss / 2**20

    latency = LatencyRecorder()
    with tempfile.TemporaryDirectory() as folder, Model(ahead=True) as model:
        with JsonlSink(Path(folder) / "out.jsonl") as sink:
            tracker = GeometryTracker("auto", (spacing_mm, spacing_mm))
            run = StreamRun(model.session(), tracker, [sink], latency)
            run.run(ticks(), ahead=model.ahead)
        summary = run.summary("default", model.bundle.digest)
    total = summary.latency_ms["total"]
    typer.echo(f"{summary.frames} frames, {summary.fps:.1f} frames/s, capture included")
    typer.echo(f"latency without capture: p50 {total.p50:.2f} ms, p99 {total.p99:.2f} ms")
    typer.echo(
        f"memory from frame {SETTLED} to {frames}: {rss_mb[frames] - rss_mb[SETTLED]:+.1f} MB"
    )


def _play(clip: str) -> Iterator[Tick]:
    with open_feed(clip) as feed:
        yield from feed.ticks()


if __name__ == "__main__":
    typer.run(main)
