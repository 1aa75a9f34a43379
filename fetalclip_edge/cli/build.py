"""`fetalclip-edge build`: an engine for this machine from a bundle's typed ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def build(
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8.")],
    model: Annotated[Path | None, typer.Option(help="Bundle folder.")] = None,
    expect_digest: Annotated[str | None, typer.Option(help="sha256 of the manifest.")] = None,
    workspace_mb: Annotated[
        int, typer.Option(min=16, help="Bound of the builder's scratch memory, in MiB.")
    ] = 1024,
    version_compatible: Annotated[
        bool, typer.Option(help="Also run on later TensorRT of the same major version.")
    ] = False,
) -> None:
    """Build this machine's TensorRT engine and compare it with the golden frames."""
    from fetalclip_edge.bundle.load import default_bundle_path, load_bundle
    from fetalclip_edge.cli.console import progress_console
    from fetalclip_edge.cli.options import parse_precision

    wanted = parse_precision(precision)
    bundle = load_bundle(model or default_bundle_path(), expect_digest=expect_digest)

    from fetalclip_edge.tensorrt.build import build as build_engine

    built = build_engine(
        bundle,
        wanted,
        progress_console(),
        workspace_mb=workspace_mb,
        version_compatible=version_compatible,
    )
    sidecar = built.engine.sidecar
    typer.echo(f"{built.engine.path}")
    typer.echo(
        f"built in {sidecar.build_seconds:.0f} s for {sidecar.target.gpu_name}, "
        f"TensorRT {sidecar.target.tensorrt}; {len(built.outcomes)} golden frames within their "
        f"tolerances; {built.device_ms:.2f} ms a pass on the device, "
        f"{'one graph launch' if built.uses_graph else 'without a CUDA graph'}"
    )
