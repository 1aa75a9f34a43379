"""The table of `run.sh`: accuracy by manifests and gates, speed by `bench`.

python examples/encoders/table.py OUT PRESET...
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import Manifest

HEADER = (
    "encoder", "precision", "parameters", "file", "pass", "end to end", "head DSC", "HC error",
    "withheld", "macro F1",
)  # fmt: skip


def fp32_cells(manifest: Manifest) -> tuple[str, ...]:
    """Returns head DSC, HC error, share withheld and macro F1 on test frames."""
    dsc, hc, withheld, f1 = (
        next(metric for metric in manifest.metrics if metric.name.startswith(start))
        for start in ("head DSC", "HC mean", "HC withheld", "plane macro F1")
    )
    spread = [metric.interval_95 or (float("nan"),) * 2 for metric in (hc, f1)]
    return (
        f"{dsc.value:.3f}",
        f"{hc.value:.2f} mm ({spread[0][0]:.2f} to {spread[0][1]:.2f})",
        f"{withheld.value:.1%}",
        f"{f1.value:.3f} ({spread[1][0]:.3f} to {spread[1][1]:.3f})",
    )


def int8_row(preset: str, record: dict[str, Any], timed: dict[str, Any] | None) -> tuple[str, ...]:
    """Returns what INT8 changes, by the record of `calibrate`.

    A refused file is in no bundle for `bench`: its speed is then the ratio that `calibrate` saw.
    """
    figures = record["test"] or record["validation"]
    value = {figure["name"]: figure["value"] for figure in figures}
    if timed is not None:
        speed = (_ms(timed["whole pass"]), _ms(timed["end to end"]))
    elif record["speed"] is not None:
        speed = (f"refused; {record['speed']['ratio']:.2f} times as fast as fp32", "")
    else:
        speed = ("refused", "")
    return (
        preset,
        f"int8, {len(record['float_layers'])} layers in fp32",
        "",
        f"{record['bytes'] / 1e6:.1f} MB",
        *speed,
        f"{-value['dsc_drop']:+.4f}",
        f"each changes by {value['hc_change_mean_mm']:.2f} mm",
        "",
        f"{-value['plane_f1_drop']:+.3f}",
    )


def _ms(timed: dict[str, Any]) -> str:
    return f"{timed['timing']['p50_ms']:.2f} ms"


def main(out: Path, presets: Annotated[list[str], typer.Argument()]) -> None:
    """Print the table."""
    typer.echo(f"| {' | '.join(HEADER)} |\n{'|---' * len(HEADER)}|")
    for preset in presets:
        timed: dict[str, dict[str, Any]] = {}
        for item in json.loads((out / f"{preset}-bench.json").read_text())["rows"]:
            timed.setdefault(item["precision"], {})[item["scope"]] = item
        manifest, whole = load_bundle(out / f"{preset}-fp32").manifest, timed["fp32"]["whole pass"]
        fp32 = (
            preset,
            "fp32",
            f"{manifest.provenance.parameters / 1e6:.1f} M",
            f"{whole['file_bytes'] / 1e6:.1f} MB",
            _ms(whole),
            _ms(timed["fp32"]["end to end"]),
            *fp32_cells(manifest),
        )
        report = json.loads((out / f"{preset}-int8-report" / "calibration.json").read_text())
        int8 = int8_row(preset, report["targets"][0], timed.get("int8"))
        for cells in (fp32, int8):
            typer.echo(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    typer.run(main)
