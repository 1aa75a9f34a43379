"""The model of a command: what was asked for, and on stderr what `auto` made of it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from fetalclip_edge.cli.options import AUTO, parse_backend, parse_precision_or_auto
from fetalclip_edge.model import Model


def open_model(
    console: Console,
    folder: Path | None,
    expect_digest: str | None,
    backend: str,
    precision: str,
    *,
    ahead: bool = False,
) -> Model:
    """Returns the model, not yet entered.

    Args:
        console: where the choice is told.
        folder: the bundle's folder; None is the shipped one.
        expect_digest: sha256 of the manifest.
        backend: "auto" or the name of one.
        precision: "auto" or the name of one.
        ahead: see `Model`.

    Raises:
        UsageError: `backend` or `precision` is no such name.
        EdgeError: as `Model` does.
    """
    model = Model(
        folder,
        expect_digest=expect_digest,
        backend=parse_backend(backend),
        precision=parse_precision_or_auto(precision),
        ahead=ahead,
    )
    if AUTO in (backend, precision):
        console.print(f"auto: {escape(str(model.choice))}")
    return model
