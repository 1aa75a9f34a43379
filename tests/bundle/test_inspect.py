"""`inspect`: everything a person needs, nothing that floods or spoils the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fetalclip_edge.bundle.manifest import DataSource, Metric, Provenance
from fetalclip_edge.cli.inspect import inspect
from fetalclip_edge.errors import BundleError
from tests.bundle.builder import tiny_bundle

DATA = DataSource(
    name="Phantoms",
    licence="CC0-1.0",
    credit="Nobody\x1b[31m, 2024",
    frames=9999,
    split="train",
    trained_on=tuple(f"frame-{i:04}" for i in range(1234)),
)
PROVENANCE = Provenance(
    teacher="FetalCLIP",
    teacher_licence="CC-BY-4.0",
    student="tiny",
    parameters=1_234_567,
    data=(DATA,),
    recipe_sha256="ab" * 32,
)
METRIC = Metric(
    name="HC error",
    value=2.34567,
    unit="mm",
    data="HC18",
    split="test",
    n=335,
    interval_95=(2.1, 2.6),
    command="fetalclip-edge evaluate",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path / "tiny", provenance=PROVENANCE, metrics=(METRIC,)).folder


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(inspect)
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "160"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_tables(folder: Path) -> None:
    text = run(str(folder))
    digest = json.loads(run(str(folder), "--json"))["digest"]
    for part in (
        digest,
        "tests only [bold]not for patients[/bold]",  # foreign text is no markup
        "CC0-1.0",
        "brain, abdomen, femur",
        "HC (outer-outer)",
        "1,234,567 parameters",
        "1234",
        "2.346 mm",
        "2.1 to 2.6",
        "1 golden frames",
    ):
        assert part in text
    assert "frame-0000" not in text
    assert "\x1b" not in text


def test_json(folder: Path) -> None:
    fields = json.loads(run(str(folder), "--json"))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert fields["manifest"] == manifest
    assert run(str(folder), "--json", "--expect-digest", fields["digest"])


def test_wrong_digest_is_refused(folder: Path) -> None:
    with pytest.raises(BundleError, match="digest of bundle"):
        run(str(folder), "--expect-digest", "0" * 64)
