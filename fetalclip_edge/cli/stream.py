"""`fetalclip-edge stream`: a source through the model, frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fetalclip_edge.cli.options import AUTO, BACKEND_HELP, PRECISION_HELP


def stream(
    device: Annotated[
        str, typer.Option(help="Camera, http(s) or rtsp address, video file, images, or demo.")
    ],
    model: Annotated[Path | None, typer.Option(help="Bundle folder.")] = None,
    expect_digest: Annotated[str | None, typer.Option(help="sha256 of the manifest.")] = None,
    backend: Annotated[str, typer.Option(help=BACKEND_HELP)] = AUTO,
    precision: Annotated[str, typer.Option(help=PRECISION_HELP)] = AUTO,
    spacing_mm: Annotated[
        float | None, typer.Option(help="mm per pixel, for the size and sector seen at the start.")
    ] = None,
    roi: Annotated[str, typer.Option(help="auto, none, or x,y,w,h in pixels.")] = "auto",
    output_jsonl: Annotated[Path | None, typer.Option(help="One JSON line a frame.")] = None,
    output_video: Annotated[Path | None, typer.Option(help="Annotated .mkv or .mp4.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Summary JSON.")] = None,
    show: Annotated[
        bool,
        typer.Option(
            help="A window. Keys: space holds, s saves the picture, o hides the overlay, q quits."
        ),
    ] = False,
    pace: Annotated[
        bool, typer.Option(help="Play files at their own rate, not as fast as they go.")
    ] = False,
    drop: Annotated[
        str | None,
        typer.Option(help="latest: frames that come too fast are dropped (live sources do so)."),
    ] = None,
    deadline_ms: Annotated[
        float | None, typer.Option(min=0.1, help="Count later results as missed.")
    ] = None,
    self_test: Annotated[bool, typer.Option(help="Check the golden frames first.")] = True,
) -> None:
    """Classify and measure a stream."""
    from contextlib import ExitStack

    from fetalclip_edge.cli.console import progress_console
    from fetalclip_edge.cli.opening_model import open_model
    from fetalclip_edge.feed import FileFeed
    from fetalclip_edge.latency import LatencyRecorder
    from fetalclip_edge.opening_feed import open_feed
    from fetalclip_edge.roi_option import parse_roi
    from fetalclip_edge.selftest import check_self_test, run_self_test
    from fetalclip_edge.sinks.base import Sink
    from fetalclip_edge.sinks.jsonl import JsonlSink
    from fetalclip_edge.sinks.summary import write_summary
    from fetalclip_edge.sinks.video import VideoSink
    from fetalclip_edge.sinks.window import WindowSink
    from fetalclip_edge.streaming import StreamRun
    from fetalclip_edge.tracker import GeometryTracker

    console = progress_console()
    spacing = None if spacing_mm is None else (spacing_mm, spacing_mm)
    tracker = GeometryTracker(parse_roi(roi), spacing)
    feed = open_feed(device, pace=pace, drop=drop)
    # the window's quit key closes a feed, so that nobody else may be reading it then
    ahead = isinstance(feed, FileFeed) and not pace and not show
    with ExitStack() as stack:
        loaded = stack.enter_context(
            open_model(console, model, expect_digest, backend, precision, ahead=ahead)
        )
        manifest = loaded.bundle.manifest
        if self_test:
            check_self_test(run_self_test(loaded.bundle, loaded.session(gate=False)))
            console.print(f"self-test passed on {len(manifest.golden.frames)} golden frames")
        sinks: list[Sink] = []
        if output_jsonl is not None:
            sinks.append(stack.enter_context(JsonlSink(output_jsonl)))
        if output_video is not None:
            sinks.append(stack.enter_context(VideoSink(output_video, rate_hz=25.0)))
        if show:
            sinks.append(stack.enter_context(WindowSink(feed.close, Path.cwd())))
        run = StreamRun(loaded.session(), tracker, sinks, LatencyRecorder(deadline_ms))
        stack.enter_context(feed)
        try:
            run.run(feed.ticks(), ahead=loaded.ahead)
        finally:
            name = f"{manifest.name} {manifest.version}"
            result = run.summary(name, loaded.bundle.digest)
            if summary is not None:
                write_summary(summary, result)
            total = result.latency_ms.get("total")
            if total is not None:
                console.print(
                    f"{result.frames} frames, {result.fps:.1f} frames/s, "
                    f"p50 {total.p50:.2f} ms, p99 {total.p99:.2f} ms"
                )
