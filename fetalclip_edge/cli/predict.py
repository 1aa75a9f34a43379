"""`fetalclip-edge predict`: images in, results, masks and overlays out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fetalclip_edge.cli.options import AUTO, BACKEND_HELP, PRECISION_HELP


def predict(
    paths: Annotated[list[Path], typer.Argument(help="Images, or folders that hold them.")],
    model: Annotated[Path | None, typer.Option(help="Bundle folder.")] = None,
    expect_digest: Annotated[str | None, typer.Option(help="sha256 of the manifest.")] = None,
    backend: Annotated[str, typer.Option(help=BACKEND_HELP)] = AUTO,
    precision: Annotated[str, typer.Option(help=PRECISION_HELP)] = AUTO,
    spacing_mm: Annotated[float | None, typer.Option(help="mm per pixel of every image.")] = None,
    spacing_csv: Annotated[
        Path | None, typer.Option(help="CSV: filename, pixel size(mm)[, head circumference (mm)].")
    ] = None,
    output_jsonl: Annotated[
        Path | None, typer.Option(help="One JSON line an image; - is stdout.")
    ] = None,
    overlay_dir: Annotated[Path | None, typer.Option(help="Folder for overlays.")] = None,
    mask_dir: Annotated[Path | None, typer.Option(help="Folder for masks.")] = None,
    gate: Annotated[bool, typer.Option(help="Withhold measurements that are not safe.")] = True,
) -> None:
    """Classify and measure images."""
    from contextlib import ExitStack

    from rich.progress import track

    from fetalclip_edge.cli.console import progress_console
    from fetalclip_edge.cli.opening_model import open_model
    from fetalclip_edge.errors import ImageError, InputError
    from fetalclip_edge.geometry import checked_spacing
    from fetalclip_edge.predicting import HcPair, hc_errors, list_images, predict_images
    from fetalclip_edge.signal import SignalState
    from fetalclip_edge.sinks.base import Report, Sink
    from fetalclip_edge.sinks.jsonl import JsonlSink
    from fetalclip_edge.sinks.masks import MaskSink, OverlaySink
    from fetalclip_edge.spacing_table import read_spacing_table

    console = progress_console()
    if spacing_mm is not None:
        checked_spacing((spacing_mm, spacing_mm))
    found = list_images(paths)
    if found.outlines:
        console.print(f"{found.outlines} outline images (*_Annotation) passed over")
    table = {} if spacing_csv is None else read_spacing_table(spacing_csv)
    done: list[HcPair] = []
    unusable = 0
    with ExitStack() as stack:
        loaded = stack.enter_context(open_model(console, model, expect_digest, backend, precision))
        sinks: list[Sink] = []
        if output_jsonl is not None:
            sinks.append(JsonlSink(output_jsonl))
        if mask_dir is not None:
            sinks.append(MaskSink(mask_dir))
        if overlay_dir is not None:
            sinks.append(OverlaySink(overlay_dir))
        for sink in sinks:
            stack.enter_context(sink)
        results = predict_images(
            loaded.session(gate=gate),
            found.images,
            spacing_mm=spacing_mm,
            table=table,
            want_masks=mask_dir is not None,
        )
        for item in track(results, "predict", total=len(found.images), console=console):
            if isinstance(item, ImageError):
                unusable += 1
                console.print(f"passed over: {item}")
                continue
            report = Report(
                state=SignalState.LIVE,
                frame=item.frame,
                result=item.result,
                latency=item.result.latency,
                path=str(item.path),
            )
            for sink in sinks:
                sink.write(report)
            done.append(HcPair.of(item))
        errors = hc_errors(done, loaded.bundle.manifest)
    if not done:
        raise InputError("images", expected="one that can be read", arrived=f"{unusable} bad ones")
    echo_to_stderr = output_jsonl is not None and str(output_jsonl) == "-"
    for error in errors:
        mean = "unknown" if error.mean_abs_mm is None else f"{error.mean_abs_mm:.2f} mm"
        typer.echo(
            f"{error.group}: n {error.n}, measured {error.measured}, withheld {error.withheld}, "
            f"mean absolute HC error {mean}",
            err=echo_to_stderr,
        )
    if unusable:
        typer.echo(f"unusable images: {unusable}", err=True)
