"""`fetalclip-edge verify`: every check that a bundle must pass before it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify(
    bundle: Annotated[
        Path | None,
        typer.Argument(help="Folder of the bundle. Default: the one shipped in the package."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
    expect_digest: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Refuse every bundle but the one with this digest."),
    ] = None,
) -> None:
    """Check hashes, lineage, licence, gate figures and golden frames; exit 5 if one fails."""
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from fetalclip_edge.bundle.load import default_bundle_path
    from fetalclip_edge.verifying import check_verification, verify_bundle

    found = verify_bundle(bundle or default_bundle_path(), expect_digest=expect_digest)
    if as_json:
        fields = {
            "schema_id": "fetalclip-edge/verify/1",
            "folder": str(found.folder),
            "digest": found.digest,
            "passed": not found.failures,
            "checks": [asdict(check) for check in found.checks],
        }
        typer.echo(json.dumps(fields, indent=2, ensure_ascii=False))
    else:
        table = Table("check", "verdict", "found", box=None)
        for check in found.checks:
            table.add_row(check.what, check.verdict.value, escape(check.detail))
        Console().print(table)
    check_verification(found)
