"""`fetalclip-edge half`: a bundle to the same bundle with a typed fp16 file for TensorRT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from distill.data.sample import Split
from distill.data.standard import load_standard
from export.pack import PARITY_FRAMES
from export.parity import parity_frames
from export.tensorrt_files import HALF_PATH, add_half
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.bundle.write import write_bundle


def command(
    model: Annotated[Path, typer.Option(help="Bundle folder with an fp32 file.")],
    data: Annotated[Path, typer.Option(help="Folder that holds hc18/ and planes/.")],
    output: Annotated[Path, typer.Option(help="Where the bundle with the fp16 file goes.")],
) -> None:
    """Add a typed fp16 file for TensorRT, held to fp32 on validation frames."""
    bundle = load_bundle(model)
    fp32 = bundle.model_path(Backend.ONNXRUNTIME, Precision.FP32).read_bytes()
    samples = [s for s in load_standard(data) if s.split is Split.VALIDATION]
    some = samples[:: max(1, len(samples) // PARITY_FRAMES)]
    made = add_half(bundle.manifest, fp32, parity_frames(some, bundle.manifest.input.size_px))
    files: dict[str, bytes | Path] = {
        path: bundle.folder / path for path in made.manifest.digests() if path != HALF_PATH
    }
    written = write_bundle(output, made.manifest, {**files, HALF_PATH: made.half.model})
    typer.echo(f"fp32 islands: {', '.join(made.half.islands)}")
    typer.echo(f"largest activation: {made.half.largest:g}")
    for row in made.parity:
        typer.echo(f"parity fp16: {row}")
    typer.echo(f"bundle: {written.folder}, digest {written.digest}")
