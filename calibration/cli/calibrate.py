"""`fetalclip-edge calibrate`: a bundle and frames to the bundle with INT8 files behind a gate."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from calibration.calibrating import Request, calibrate
from calibration.gate import Figure
from calibration.pack import pack
from calibration.quantize import Target
from calibration.report import report_page
from calibration.summary import advice, half_advice, summarize
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.cli.console import progress_console
from fetalclip_edge.labelled_frames import read_labelled_frames
from fetalclip_edge.report.write import write_whole


def command(
    model: Annotated[Path, typer.Option(help="Bundle folder with an fp32 file.")],
    frames: Annotated[
        list[str],
        typer.Option(help="Folder, clip, image, or table of labelled frames (training rows)."),
    ],
    data: Annotated[
        Path, typer.Option(help="Table of labelled frames, as `fetalclip-edge frames` writes it.")
    ],
    output: Annotated[Path, typer.Option(help="Where the bundle with INT8 files goes.")],
    report: Annotated[Path, typer.Option(help="Folder for ranges and report.")] = Path("runs/int8"),
    target: Annotated[
        list[Target] | None, typer.Option(help="What to make files for; default is both.")
    ] = None,
    reduce_range: Annotated[
        bool, typer.Option(help="7-bit weights, for x86 processors without VNNI.")
    ] = False,
) -> None:
    """Quantize to INT8; a file enters the bundle only if it holds against fp32."""
    console = progress_console()
    request = Request(
        bundle=load_bundle(model),
        where=tuple(frames),
        labelled=read_labelled_frames(data),
        targets=tuple(dict.fromkeys(target or Target)),
        folder=report,
        reduce_range=reduce_range,
        note=lambda words: console.print(words, markup=False),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of onnxruntime's tools, about choices made on purpose
        calibrated = calibrate(request)
    summary = summarize(calibrated)
    write_whole(report / "calibration.json", summary.json())
    report_page(summary, calibrated).write(report / "calibration.html")
    for record in summary.targets:
        _tell(record.target, record.test)
        typer.echo(advice(record))
    if summary.half is not None:
        _tell("fp16", summary.half.test)
        typer.echo(half_advice(summary.half))
    typer.echo(f"report: {report / 'calibration.html'}")
    made = pack(calibrated, output)
    typer.echo(f"bundle: {made.folder}, digest {made.digest}")


def _tell(what: str, figures: tuple[Figure, ...]) -> None:
    for figure in figures:
        typer.echo(
            f"{what}: {figure.name} {figure.value:.4f}, up to {figure.upper_95:.4f}, "
            f"limit {figure.limit:g}, n={figure.n}"
        )
