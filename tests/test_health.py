"""What `doctor` says of machines that are not this one, from their files and their tools."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fetalclip_edge.clocks import Clock, read_clocks
from fetalclip_edge.health import Finding, examine

NVPMODEL = "#!/bin/sh\necho 'NV Power Mode: MAXN'\necho 0\n"
NVIDIA_SMI = "#!/bin/sh\necho 'NVIDIA RTX A2000, 550.54, 8.6, 210 MHz, 2100 MHz'\n"


def _lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _clock_files(folder: str, prefix: str, khz: tuple[int, int, int]) -> dict[str, str]:
    names = (f"{prefix}cur_freq", f"{prefix}min_freq", f"{prefix}max_freq")
    return {f"{folder}/{name}": f"{value}\n" for name, value in zip(names, khz, strict=True)}


def _jetson(root: Path, *, pinned: bool) -> None:
    low = 1_510_400 if pinned else 729_600
    _lay(
        root,
        {
            "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081",
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
            "sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "schedutil\n",
            "sys/class/devfreq/17000000.gpu/governor": "nvhost_podgov\n",
            **_clock_files(
                "sys/devices/system/cpu/cpufreq/policy0", "scaling_", (low, low, 1_510_400)
            ),
            **_clock_files(
                "sys/class/devfreq/17000000.gpu",
                "",
                (624_750_000, 624_750_000 if pinned else 306_000_000, 624_750_000),
            ),
        },
    )


def _tools(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    folder.mkdir()
    for name, text in scripts.items():
        path = folder / name.replace("_", "-")
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def _found(root: Path) -> dict[str, Finding]:
    return {finding.what: finding for finding in examine(root)}


def test_clocks_are_read_in_mhz(tmp_path: Path) -> None:
    _jetson(tmp_path, pinned=False)
    clocks = read_clocks(tmp_path / "sys")
    assert clocks == (
        Clock("CPU", 729.6, 729.6, 1510.4, "schedutil"),
        Clock("GPU", 624.75, 306.0, 624.75, "nvhost_podgov"),
    )
    assert not any(clock.pinned for clock in clocks)
    assert Clock("CPU", 800, 800, 3500, "performance").pinned


def test_a_clock_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    _jetson(tmp_path, pinned=True)
    (tmp_path / "sys/class/devfreq/17000000.gpu/cur_freq").write_text("<unsupported>\n")
    assert [clock.name for clock in read_clocks(tmp_path / "sys")] == ["CPU"]
    assert read_clocks(tmp_path / "nowhere") == ()


def test_a_jetson_that_saves_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _jetson(tmp_path / "root", pinned=False)
    _tools(tmp_path / "bin", monkeypatch, nvpmodel=NVPMODEL)
    found = _found(tmp_path / "root")
    assert found["Jetson power mode"].state == "NV Power Mode: MAXN 0, L4T 36.4.3"
    assert found["NVIDIA GPU"].state == "NVIDIA Jetson Orin Nano Developer Kit (integrated)"
    clocks = found["clocks"]
    assert clocks.state.startswith("CPU 730 of 730 to 1510 MHz (schedutil); GPU 625 of 306")
    assert not clocks.found
    assert "jetson_clocks" in (clocks.remedy or "")
    # the wheel's OpenCV is on a machine that has one of its own
    assert "CSI" in (found["OpenCV"].remedy or "")
    assert "--system-site-packages" in (found["TensorRT"].remedy or "")


def test_a_jetson_with_pinned_clocks(tmp_path: Path) -> None:
    _jetson(tmp_path, pinned=True)
    assert _found(tmp_path)["clocks"].found


def test_a_workstation_with_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _tools(tmp_path / "bin", monkeypatch, nvidia_smi=NVIDIA_SMI)
    found = _found(tmp_path)
    assert found["NVIDIA GPU"].state == "NVIDIA RTX A2000, 550.54, 8.6, 210 MHz, 2100 MHz"
    assert found["Jetson power mode"].state == "no Jetson"


def test_a_tool_that_fails_is_a_line_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _jetson(tmp_path / "root", pinned=True)
    failing = "#!/bin/sh\necho 'no permission' >&2\nexit 1\n"
    _tools(tmp_path / "bin", monkeypatch, nvpmodel=failing)
    mode = _found(tmp_path / "root")["Jetson power mode"]
    assert (mode.state, mode.found) == ("not readable", False)
    assert "sudo nvpmodel -q" in (mode.remedy or "")


def test_a_package_that_does_not_load_is_told_from_one_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise RuntimeError('built for another numpy')\n")
    code = (
        "from fetalclip_edge.health import examine\n"
        "print(next(f.state for f in examine() if f.what == 'ONNX Runtime'))"
    )
    done = _run(code, tmp_path)
    assert done.stdout.strip() == "installed, but does not load: built for another numpy"


def test_a_base_install_says_which_extra_brings_what_is_missing(tmp_path: Path) -> None:
    # a finder that knows no OpenCV, as in an environment without the extra
    code = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'cv2':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
        "sys.argv[1:] = ['devices']\n"
        "from fetalclip_edge.cli.app import main\n"
        "main()"
    )
    done = _run(code, tmp_path)
    assert done.returncode == 3
    assert "fetalclip-edge[cpu]" in done.stderr
    assert done.stderr.count("\n") == 1


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join((str(folder), str(Path(__file__).parent.parent)))
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": paths},
    )
