"""`fetalclip-edge inspect`: check a bundle and say what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(
    bundle: Annotated[
        Path | None,
        typer.Argument(help="Folder of the bundle. Default: the one shipped in the package."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the digest and the whole manifest as JSON.")
    ] = False,
    expect_digest: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Refuse every bundle but the one with this digest."),
    ] = None,
) -> None:
    """Check every file of a model bundle and say what is in it."""
    from rich.console import Console

    from fetalclip_edge.bundle.describe import bundle_json, print_bundle
    from fetalclip_edge.bundle.load import default_bundle_path, load_bundle

    loaded = load_bundle(bundle or default_bundle_path(), expect_digest=expect_digest)
    if as_json:
        typer.echo(bundle_json(loaded))
    else:
        print_bundle(loaded, Console())
