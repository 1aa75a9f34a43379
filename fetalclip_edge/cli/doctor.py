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
    """List the cameras that `--device` takes (Linux): path, name, and the path that lasts."""
    import sys

    from fetalclip_edge.sources.v4l2 import REMEDY_PERMISSION, list_devices

    found = list_devices()
    for device in found:
        typer.echo("\t".join((device.path, device.name, device.by_id or "")))
        if not device.usable:
            typer.echo(f"{device.path}: no permission. {REMEDY_PERMISSION}", err=True)
    if not sys.platform.startswith("linux"):
        typer.echo("devices are listed on Linux alone; try --device 0, then 1", err=True)
    elif not found:
        typer.echo("no video device; `stream --device demo` needs none", err=True)
