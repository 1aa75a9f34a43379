"""`fetalclip-edge doctor` and `devices`: what this machine has, and what it lacks."""

from __future__ import annotations

from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Look at what this machine has, and say how to get what it lacks."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from fetalclip_edge.health import examine

    findings = examine()
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return
    table = Table("looked for", "found", "to get it", box=None)
    for finding in findings:
        remedy = "" if finding.found else finding.remedy or ""
        # a remedy names extras in brackets, which rich would take for its own
        table.add_row(finding.what, escape(finding.state), escape(remedy))
    Console().print(table)


def devices() -> None:
    """List the cameras and capture cards that `--device` takes (Linux)."""
    from fetalclip_edge.sources.v4l2 import list_devices

    found = list_devices()
    for device in found:
        typer.echo("\t".join((device.path, device.name, device.by_id or "")))
    if not found:
        typer.echo("no video device; `stream --device demo` needs none", err=True)
