"""What an engine is built for: GPU, TensorRT, CUDA, driver, board release and power mode."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fetalclip_edge.errors import EnvironmentFault

_TIMEOUT_S = 10.0


class Target(BaseModel):
    """A machine, as far as it can be told; None is unknown.

    Attributes:
        gpu_name: name of the GPU.
        compute_capability: such as "8.7".
        tensorrt: version of TensorRT.
        cuda: version of the CUDA runtime.
        driver: version of the GPU's driver.
        l4t: release of NVIDIA's Linux for Jetson, such as "36.4.0".
        power_mode: of a Jetson, such as "MAXN".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpu_name: str | None = None
    compute_capability: str | None = None
    tensorrt: str | None = None
    cuda: str | None = None
    driver: str | None = None
    l4t: str | None = None
    power_mode: str | None = None


def read_target(root: Path = Path("/")) -> Target:
    """Looks at this machine; what is not there is None, and nothing is raised.

    Args:
        root: where `etc` and `proc` lie.
    """
    gpu_name = compute_capability = cuda_version = tensorrt = None
    try:
        from fetalclip_edge.tensorrt.cuda import device_info

        info = device_info()
        gpu_name, compute_capability, cuda_version = info.name, info.compute_capability, info.cuda
    except EnvironmentFault:
        pass  # no GPU, no driver, or no cuda-python
    try:
        from fetalclip_edge.tensorrt.package import VERSION

        tensorrt = VERSION
    except EnvironmentFault:
        pass
    return Target(
        gpu_name=gpu_name,
        compute_capability=compute_capability,
        tensorrt=tensorrt,
        cuda=cuda_version,
        driver=_found(
            r"Kernel Module\s+(?:for \S+\s+)?(\d[\d.]*)", root / "proc/driver/nvidia/version"
        ),
        l4t=_l4t(root / "etc/nv_tegra_release"),
        power_mode=_power_mode(),
    )


def _l4t(path: Path) -> str | None:
    major = _found(r"R(\d+) \(release\)", path)
    minor = _found(r"REVISION: (\d[\d.]*)", path)
    return f"{major}.{minor}" if major and minor else None


def _found(pattern: str, path: Path) -> str | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(pattern, text)
    return match.group(1) if match else None


def _power_mode() -> str | None:
    try:
        done = subprocess.run(
            ["nvpmodel", "-q"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"NV Power Mode:\s*(\S+)", done.stdout)
    return match.group(1) if match else None
