"""What is read of a machine, and that a missing piece is unknown and no error."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip_edge.tensorrt.target import Target, read_target

TEGRA = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n"
ORIN = "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build\n"
DESKTOP = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\n"


@pytest.mark.parametrize(
    ("tegra", "version", "l4t", "driver"),
    [
        (TEGRA, ORIN, "36.4.3", "540.4.0"),
        (None, DESKTOP, None, "550.54.15"),
        ("nothing of this kind", "nor this", None, None),
        (None, None, None, None),
    ],
)
def test_releases(
    tmp_path: Path, tegra: str | None, version: str | None, l4t: str | None, driver: str | None
) -> None:
    for path, text in (("etc/nv_tegra_release", tegra), ("proc/driver/nvidia/version", version)):
        if text is not None:
            (tmp_path / path).parent.mkdir(parents=True)
            (tmp_path / path).write_text(text)
    found = read_target(tmp_path)
    assert (found.l4t, found.driver) == (l4t, driver)


def test_power_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvpmodel"
    tool.write_text("#!/bin/sh\necho 'NV Power Mode: 15W'\necho 0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_target(tmp_path).power_mode == "15W"
    tool.write_text("#!/bin/sh\nexit 1\n")
    assert read_target(tmp_path) == Target(
        **{k: v for k, v in read_target(tmp_path).model_dump().items() if k != "power_mode"}
    )
