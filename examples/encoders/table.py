"""The table of `run.sh`: accuracy by the bundles' manifests, speed by `bench`.

python examples/encoders/table.py OUT PRESET...
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import Backend, Manifest, Precision

HEADER = (
    "encoder", "precision", "parameters", "file", "pass", "end to end", "head DSC", "HC error",
    "withheld", "macro F1",
)  # fmt: skip


def fp32_cells(manifest: Manifest) -> tuple[str, ...]:
    """Returns head DSC, HC error, share withheld and macro F1 on test frames."""
    found = {metric.name: metric for metric in manifest.metrics}
    dsc, hc, withheld, f1 = (
        next(metric for name, metric in found.items() if name.startswith(start))
        for start in ("head DSC", "HC mean", "HC withheld", "plane macro F1")
    )
    spread = [metric.interval_95 or (float("nan"),) * 2 for metric in (hc, f1)]
    return (
        f"{dsc.value:.3f}",
        f"{hc.value:.2f} mm ({spread[0][0]:.2f} to {spread[0][1]:.2f})",
        f"{withheld.value:.1%}",
        f"{f1.value:.3f} ({spread[1][0]:.3f} to {spread[1][1]:.3f})",
    )


def int8_cells(manifest: Manifest) -> tuple[str, ...]:
    """Returns what INT8 changes on test frames, by the figures of its gate."""
    entry = manifest.file(Backend.ONNXRUNTIME, Precision.INT8)
    if entry is None or entry.acceptance is None:
        raise typer.BadParameter("the bundle has no INT8 file with the figures of its gate")
    value = {figure.name: figure.value for figure in entry.acceptance.figures}
    return (
        f"{-value['dsc_drop']:+.4f}",
        f"each changes by {value['hc_change_mean_mm']:.2f} mm",
        "",
        f"{-value['plane_f1_drop']:+.3f}",
    )


def main(out: Path, presets: Annotated[list[str], typer.Argument()]) -> None:
    """Print the table."""
    typer.echo(f"| {' | '.join(HEADER)} |\n{'|---' * len(HEADER)}|")
    for preset in presets:
        timed: dict[str, dict[str, Any]] = {}
        for item in json.loads((out / f"{preset}-bench.json").read_text())["rows"]:
            timed.setdefault(item["precision"], {})[item["scope"]] = item
        for precision, rows in timed.items():
            manifest = load_bundle(out / f"{preset}-{precision}").manifest
            told = int8_cells(manifest) if precision == "int8" else fp32_cells(manifest)
            whole = rows["whole pass"]
            cells = (
                preset,
                precision,
                f"{manifest.provenance.parameters / 1e6:.1f} M",
                f"{whole['file_bytes'] / 1e6:.1f} MB",
                f"{whole['timing']['p50_ms']:.2f} ms",
                f"{rows['end to end']['timing']['p50_ms']:.2f} ms",
                *told,
            )
            typer.echo(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    typer.run(main)
