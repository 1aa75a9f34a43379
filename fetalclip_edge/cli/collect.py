"""`fetalclip-edge collect`: frames for INT8 calibration, taken on the cart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def collect(
    device: Annotated[
        str, typer.Option(help="Camera, http(s) or rtsp address, video file, images, or demo.")
    ],
    output_dir: Annotated[
        Path, typer.Option(help="Folder for the frames; one with frames of collect is continued.")
    ],
    roi: Annotated[
        str,
        typer.Option(
            help="auto: the sector, or nothing where none is seen. x,y,w,h in pixels, or none for "
            "the whole frame: all that is in it is kept, writing too."
        ),
    ] = "auto",
    every: Annotated[float, typer.Option(min=0, help="Seconds from one look to the next.")] = 1.0,
    max_frames: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many frames were kept.")
    ] = None,
    max_distance: Annotated[
        int, typer.Option(min=0, max=64, help="Bits of 64 up to which frames are near-duplicates.")
    ] = 4,
) -> None:
    """Keep frames for INT8 calibration: the sector alone, near-duplicates dropped, no names.

    Ctrl-C ends a live source. Look through the folder before it leaves the cart: writing inside
    the sector stays.
    """
    from fetalclip_edge.cli.console import progress_console
    from fetalclip_edge.collecting import Collector, Verdict
    from fetalclip_edge.errors import InputError
    from fetalclip_edge.frame_folder import FrameFolder
    from fetalclip_edge.opening_feed import open_feed
    from fetalclip_edge.roi_option import parse_roi

    region = parse_roi(roi)
    feed = open_feed(device)
    collector = Collector(FrameFolder(output_dir), region, every, max_distance)
    console = progress_console()
    with feed:
        try:
            with console.status("waiting for a frame") as status:
                for tick in feed.ticks():
                    if collector.take(tick) is not None:
                        kept, seen = collector.counts[Verdict.KEPT], sum(collector.counts.values())
                        status.update(f"{kept} frames kept of {seen}")
                        if kept == max_frames:
                            break
                    else:
                        status.update(f"{tick.state.value}: {tick.message or 'no new frame'}")
        finally:
            counts = collector.counts
            facts = ", ".join(f"{verdict.value} {count}" for verdict, count in counts.items())
            typer.echo(f"{output_dir}: seen {sum(counts.values())}, {facts}")
    if counts[Verdict.KEPT] + counts[Verdict.DUPLICATE] == 0:
        raise InputError(
            "collect",
            expected="a frame with an ultrasound sector",
            arrived="none",
            remedy="Where the frames hold no writing, give --roi none; else --roi x,y,w,h",
        )
