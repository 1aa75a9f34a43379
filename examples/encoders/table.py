"""The table of `run.sh`: accuracy by `evaluate`, speed by `bench`.

python examples/encoders/table.py OUT PRESET...
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from distill.evaluation.bootstrap import Figure
from distill.evaluation.evaluation import Evaluation


def row(out: Path, preset: str, timed: dict[str, Any]) -> str:
    """Returns one row: a preset in one precision, timed as `bench` wrote it."""
    precision = timed["pass"]["precision"]
    report = out / f"{preset}-{precision}-report" / "evaluation.json"
    done = Evaluation.from_json(report.read_text())
    heads = done.heads
    if heads is None or heads.hc is None or done.gate.withheld is None:
        raise typer.BadParameter(f"{report} has no heads")
    cells = (
        preset,
        precision,
        f"{done.bundle.parameters / 1e6:.1f} M",
        f"{timed['pass']['file_bytes'] / 1e6:.1f} MB",
        f"{timed['pass']['timing']['p50_ms']:.2f} ms",
        f"{timed['end']['timing']['p50_ms']:.2f} ms",
        f"{heads.dsc.value:.3f}",
        f"{_bracketed(heads.hc.mean_abs)} mm",
        f"{done.gate.withheld.value:.1%}",
        _bracketed(done.planes[0].four),
    )
    return f"| {' | '.join(cells)} |"


def main(out: Path, presets: Annotated[list[str], typer.Argument()]) -> None:
    """Print the table."""
    typer.echo(
        "| encoder | precision | parameters | file | pass | end to end | head DSC | HC error "
        "| withheld | macro F1 |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    for preset in presets:
        timed: dict[str, dict[str, Any]] = {}
        for item in json.loads((out / f"{preset}-bench.json").read_text())["rows"]:
            scope = {"whole pass": "pass", "end to end": "end"}[item["scope"]]
            timed.setdefault(item["precision"], {})[scope] = item
        for rows in timed.values():
            typer.echo(row(out, preset, rows))


def _bracketed(figure: Figure) -> str:
    low, high = figure.interval or (float("nan"),) * 2
    return f"{figure.value:.3g} ({low:.3g} to {high:.3g})"


if __name__ == "__main__":
    typer.run(main)
