"""What this machine has of what the toolkit uses, and how to get what it lacks.

Nothing is installed, opened or changed; a fault that is found is a line, never an exception.
"""

from __future__ import annotations

import ctypes.util
import importlib
import importlib.metadata
import importlib.util
import platform
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetalclip_edge.clocks import read_clocks
from fetalclip_edge.display import can_show
from fetalclip_edge.processor import int8_instructions

MIN_PYTHON = (3, 10)
_TIMEOUT_S = 10.0
L4T = "etc/nv_tegra_release"
"""A Jetson's release of Linux; no other machine has the file."""
MODEL = "proc/device-tree/model"
_OPENCV_PACKAGES = ("opencv-python", "opencv-python-headless")
_ONNXRUNTIME_PACKAGES = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        what: its name.
        state: what was found, for people; "missing" where nothing was.
        found: whether it is there, and as it should be.
        remedy: how to get it or mend it, where that can be done.
    """

    what: str
    state: str
    found: bool
    remedy: str | None = None


def examine(root: Path = Path("/")) -> tuple[Finding, ...]:
    """Looks at everything; takes some seconds, as a window is tried in a process of its own.

    Args:
        root: where the system keeps etc/, proc/ and sys/.
    """
    return (
        _python(),
        _opencv(root),
        _window(),
        _onnxruntime(),
        _vnni(),
        _gpu(root),
        _cuda(),
        _tensorrt(root),
        _power_mode(root),
        _clocks(root),
        _cameras(),
    )


def _python() -> Finding:
    wanted = ".".join(str(part) for part in MIN_PYTHON)
    state = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", state, sys.version_info >= MIN_PYTHON, f"Use Python {wanted} or later")


def _opencv(root: Path) -> Finding:
    cv2 = _imported("cv2")
    if isinstance(cv2, str):
        return Finding("OpenCV", cv2, False, "pip install 'fetalclip-edge[cpu]'")
    build = str(cv2.getBuildInformation())
    parts = [name for name in ("FFMPEG", "GStreamer", "v4l/v4l2") if _is_built(build, name)]
    state = f"{cv2.__version__} with {', '.join(parts) or 'no video'}"
    if len(_installed(_OPENCV_PACKAGES)) > 1:
        remedy = "They overwrite each other: uninstall both and install opencv-python again"
        return Finding("OpenCV", f"{state}; {_both(_OPENCV_PACKAGES)}", False, remedy)
    if _text(root / L4T) is not None and "GStreamer" not in parts:
        remedy = "USB works; a CSI camera needs JetPack's own OpenCV: uninstall opencv-python"
        return Finding("OpenCV", f"{state}; no GStreamer", False, remedy)
    return Finding("OpenCV", state, True)


def _is_built(build: str, name: str) -> bool:
    return re.search(rf"{re.escape(name)}:\s+YES", build) is not None


def _window() -> Finding:
    what, cv2 = "window (--show)", _imported("cv2")
    if isinstance(cv2, str):
        return Finding(what, "missing", False, "Install OpenCV first")
    built = re.search(r"^\s*GUI:\s+(\S+)", str(cv2.getBuildInformation()), re.MULTILINE)
    toolkit = "NONE" if built is None else built.group(1)
    if toolkit == "NONE":
        remedy = "pip install opencv-python, in place of opencv-python-headless"
        return Finding(what, "this OpenCV has no window system", False, remedy)
    if can_show():
        return Finding(what, f"opens ({toolkit})", True)
    remedy = "Start it in a session with a display; all else works without"
    return Finding(what, f"{toolkit}, but no window opens", False, remedy)


def _onnxruntime() -> Finding:
    onnxruntime = _imported("onnxruntime")
    if isinstance(onnxruntime, str):
        return Finding("ONNX Runtime", onnxruntime, False, "pip install 'fetalclip-edge[cpu]'")
    providers = ", ".join(onnxruntime.get_available_providers())
    state = f"{onnxruntime.__version__} with {providers}"
    if len(_installed(_ONNXRUNTIME_PACKAGES)) > 1:
        remedy = "They overwrite each other: uninstall both and install the one you want"
        return Finding("ONNX Runtime", f"{state}; {_both(_ONNXRUNTIME_PACKAGES)}", False, remedy)
    return Finding("ONNX Runtime", state, True)


def _vnni() -> Finding:
    what = "INT8 instructions"
    names = int8_instructions()
    if names is None:
        return Finding(what, "not known on this system", False)
    remedy = "INT8 brings little on this processor; use fp32"
    return Finding(what, ", ".join(sorted(names)) or "missing", bool(names), remedy)


def _gpu(root: Path) -> Finding:
    query = "--query-gpu=name,driver_version,compute_cap,clocks.sm,clocks.max.sm"
    state = _output("nvidia-smi", query, "--format=csv,noheader")
    model = _text(root / MODEL)
    if model is not None and _text(root / L4T) is not None:
        # a Jetson's nvidia-smi, where there is one, knows neither driver nor clocks
        state = f"{model.strip(chr(0))} (integrated)"
    remedy = "On a cart with an NVIDIA GPU install its driver; the CPU works without"
    return Finding("NVIDIA GPU", state or "missing", state is not None, remedy)


def _cuda() -> Finding:
    """CUDA as this environment sees it: the bindings, the driver's library, the toolkit's."""
    what, remedy = "CUDA", "On a GPU cart: pip install 'fetalclip-edge[jetson6]' or [cu13]"
    # looked up, not imported: importing loads drivers, and may end the process
    there = importlib.util.find_spec("cuda") is not None
    libraries = [name for name in ("cuda", "cudart") if ctypes.util.find_library(name)]
    parts = [*_installed(("cuda-python", "cuda-bindings")), *(f"lib{name}" for name in libraries)]
    if not there:
        return Finding(what, ", ".join(parts) or "missing", False, remedy)
    if "cuda" not in libraries:
        remedy = "The bindings are there; install the GPU's driver, if there is a GPU"
        return Finding(what, f"{', '.join(parts) or 'bindings'}; no driver", False, remedy)
    return Finding(what, ", ".join(parts), True)


def _tensorrt(root: Path) -> Finding:
    there = importlib.util.find_spec("tensorrt") is not None
    names = ("tensorrt", "tensorrt-cu13", "tensorrt-cu12")
    state = ", ".join(_installed(names)) or ("installed" if there else "missing")
    remedy = "pip install 'fetalclip-edge[cu13]'"
    if _text(root / L4T) is not None:
        remedy = "JetPack brings it: python3 -m venv --system-site-packages lets it in"
    return Finding("TensorRT", state, there, remedy)


def _power_mode(root: Path) -> Finding:
    what, release = "Jetson power mode", _text(root / L4T)
    if release is None:
        return Finding(what, "no Jetson", False)
    state = _output("nvpmodel", "-q")
    if state is None:
        return Finding(what, "not readable", False, "Ask as root: sudo nvpmodel -q")
    board = re.search(r"R(\d+).*REVISION: ([\d.]+)", release)
    suffix = "" if board is None else f", L4T {board.group(1)}.{board.group(2)}"
    return Finding(what, f"{state}{suffix}", True)


def _clocks(root: Path) -> Finding:
    what, clocks = "clocks", read_clocks(root / "sys")
    if not clocks:
        return Finding(what, "not known on this system", False)
    state = "; ".join(dict.fromkeys(str(clock) for clock in clocks))
    remedy = "Frames take longer at first while they rise: set the governor to performance"
    if _text(root / L4T) is not None:
        remedy = "Frames take longer at first while they rise: sudo jetson_clocks pins them"
    return Finding(what, state, all(clock.pinned for clock in clocks), remedy)


def _cameras() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding("cameras", "listed on Linux alone", False, "Try --device 0, then 1")
    if isinstance(_imported("cv2"), str):
        return Finding("cameras", "not looked for without OpenCV", False, "Install OpenCV first")
    from fetalclip_edge.sources.v4l2 import REMEDY_PERMISSION, list_devices

    devices = list_devices()
    state = ", ".join(
        f"{device.path} ({device.name}{'' if device.usable else '; no permission'})"
        for device in devices
    )
    remedy = REMEDY_PERMISSION if devices else "Plug in the grabber or camera"
    return Finding("cameras", state or "missing", any(d.usable for d in devices), remedy)


def _imported(name: str) -> Any:  # noqa: ANN401 (a module without types)
    """Returns a module, or in words why there is none; a broken package may raise anything."""
    if importlib.util.find_spec(name) is None:
        return "missing"
    try:
        return importlib.import_module(name)
    except Exception as error:
        return (
            f"installed, but does not load: {' '.join(str(error).split()) or type(error).__name__}"
        )


def _installed(packages: tuple[str, ...]) -> list[str]:
    """Returns name and version of those of `packages` that are installed."""
    found = []
    for package in packages:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{package} {importlib.metadata.version(package)}")
    return found


def _both(packages: tuple[str, ...]) -> str:
    return f"{' and '.join(_installed(packages))} are both installed"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _output(*command: str) -> str | None:
    """Returns what a tool prints on one line, or None where it is not there or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = " ".join(done.stdout.split())
    return text if done.returncode == 0 and text else None
