"""What this machine has of what the toolkit uses, and how to get what it lacks.

Nothing is installed, opened or changed; a fault that is found is a line, never an exception.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fetalclip_edge.display import can_show
from fetalclip_edge.processor import int8_instructions

MIN_PYTHON = (3, 10)
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        what: its name.
        state: what was found, for people; "missing" where nothing was.
        found: whether it is there.
        remedy: how to get it, where it is missing and can be had.
    """

    what: str
    state: str
    found: bool
    remedy: str | None = None


def examine() -> tuple[Finding, ...]:
    """Looks at everything; takes some seconds, as a window is tried in a process of its own."""
    return (
        _python(),
        _opencv(),
        _window(),
        _onnxruntime(),
        _vnni(),
        _gpu(),
        _package("CUDA for Python", "cuda", "pip install 'fetalclip-edge[jetson6]' or [cu13]"),
        _package("TensorRT", "tensorrt", "JetPack brings it; elsewhere 'fetalclip-edge[cu13]'"),
        _power_mode(),
        _cameras(),
    )


def _python() -> Finding:
    wanted = ".".join(str(part) for part in MIN_PYTHON)
    state = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", state, sys.version_info >= MIN_PYTHON, f"Use Python {wanted} or later")


def _opencv() -> Finding:
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError:
        return Finding("OpenCV", "missing", False, "pip install 'fetalclip-edge[cpu]'")
    build = str(cv2.getBuildInformation())
    parts = [name for name in ("FFMPEG", "GStreamer", "v4l/v4l2") if _is_built(build, name)]
    return Finding("OpenCV", f"{cv2.__version__} with {', '.join(parts) or 'no video'}", True)


def _is_built(build: str, name: str) -> bool:
    return re.search(rf"{re.escape(name)}:\s+YES", build) is not None


def _window() -> Finding:
    if importlib.util.find_spec("cv2") is None:
        return Finding("window (--show)", "missing", False, "Install OpenCV first")
    shows = can_show()
    remedy = "Needs a display and an OpenCV with a window system; all else works without"
    return Finding("window (--show)", "opens" if shows else "missing", shows, remedy)


def _onnxruntime() -> Finding:
    try:
        onnxruntime = importlib.import_module("onnxruntime")
    except ImportError:
        return Finding("ONNX Runtime", "missing", False, "pip install 'fetalclip-edge[cpu]'")
    providers = ", ".join(onnxruntime.get_available_providers())
    return Finding("ONNX Runtime", f"{onnxruntime.__version__} with {providers}", True)


def _vnni() -> Finding:
    what = "INT8 instructions"
    names = int8_instructions()
    if names is None:
        return Finding(what, "not known on this system", False)
    remedy = "INT8 brings little on this processor; use fp32"
    return Finding(what, ", ".join(sorted(names)) or "missing", bool(names), remedy)


def _gpu() -> Finding:
    query = "--query-gpu=name,driver_version"
    state = _output("nvidia-smi", query, "--format=csv,noheader")
    remedy = "On a cart with an NVIDIA GPU install its driver; the CPU works without"
    return Finding("NVIDIA GPU", state or "missing", state is not None, remedy)


def _package(what: str, module: str, remedy: str) -> Finding:
    # looked up, not imported: importing loads drivers, and may end the process
    there = importlib.util.find_spec(module) is not None
    return Finding(what, "installed" if there else "missing", there, remedy)


def _power_mode() -> Finding:
    what = "Jetson power mode"
    if _text(Path("/etc/nv_tegra_release")) is None:
        return Finding(what, "no Jetson", False)
    state = _output("nvpmodel", "-q")
    remedy = "sudo nvpmodel -q; sudo jetson_clocks pins the clocks"
    return Finding(what, state or "not readable", state is not None, remedy)


def _cameras() -> Finding:
    if not sys.platform.startswith("linux"):
        return Finding("cameras", "listed on Linux alone", False)
    if importlib.util.find_spec("cv2") is None:
        return Finding("cameras", "not looked for without OpenCV", False)
    from fetalclip_edge.sources.v4l2 import list_devices

    devices = [device for device in list_devices() if os.access(device.path, os.R_OK)]
    state = ", ".join(f"{device.path} ({device.name})" for device in devices)
    remedy = "Plug in the grabber; your user must be in the group video"
    return Finding("cameras", state or "missing", bool(devices), remedy)


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
