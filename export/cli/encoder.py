"""`fetalclip-edge encoder`: an encoder alone as ONNX, for `bench --compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from export.encoder import bundle_encoder, timm_encoder
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import Backend
from fetalclip_edge.cli.options import parse_precision
from fetalclip_edge.errors import UsageError


def command(
    output: Annotated[Path, typer.Option(help="The ONNX file.")],
    name: Annotated[
        str | None, typer.Option(help="One of timm's, random weights, such as fastvit_mci0.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Or the encoder of this bundle.")] = None,
    precision: Annotated[str, typer.Option(help="fp32 or int8, of the bundle.")] = "fp32",
    size_px: Annotated[int, typer.Option(min=32, help="Side of timm's input.")] = 256,
) -> None:
    """Write an encoder without decoder and heads."""
    if (name is None) == (model is None):
        raise UsageError("encoder", expected="--name or --model", arrived="both or neither")
    if name is not None:
        data = timm_encoder(name, size_px)
    elif model is not None:
        bundle = load_bundle(model)
        path = bundle.model_path(Backend.ONNXRUNTIME, parse_precision(precision))
        data = bundle_encoder(path.read_bytes(), bundle.manifest.embedding_space.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.part")
    partial.write_bytes(data)
    partial.replace(output)
    typer.echo(f"{output}: {len(data)} bytes")
