"""How fast the processor and an integrated GPU may run now. Read from the kernel, never set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Clock:
    """One clock of this machine.

    Attributes:
        name: "CPU" or "GPU".
        now_mhz: at present.
        low_mhz: where its governor may take it to save power.
        high_mhz: where it may take it under load.
        governor: what decides.
    """

    name: str
    now_mhz: float
    low_mhz: float
    high_mhz: float
    governor: str

    @property
    def pinned(self) -> bool:
        """Whether it stays at one speed, as after `jetson_clocks`, or is told to run fast."""
        return self.low_mhz == self.high_mhz or self.governor == "performance"

    def __str__(self) -> str:
        span = f"{self.now_mhz:.0f} of {self.low_mhz:.0f} to {self.high_mhz:.0f} MHz"
        return f"{self.name} {span} ({self.governor})"


def read_clocks(sys_dir: Path) -> tuple[Clock, ...]:
    """Returns the clock of each group of processors and of each integrated GPU.

    Empty where the kernel does not say: in most virtual machines, and anywhere but on Linux.

    Args:
        sys_dir: where the kernel describes the machine.
    """
    found = [
        # cpufreq counts in kHz, devfreq in Hz
        _clock("CPU", 1e3, policy, "scaling_{}_freq", "scaling_governor")
        for policy in _folders(sys_dir / "devices/system/cpu/cpufreq", "policy*")
    ]
    found += [
        _clock("GPU", 1e6, device, "{}_freq", "governor")
        for device in _folders(sys_dir / "class/devfreq", "*gpu*")
    ]
    return tuple(clock for clock in found if clock is not None)


def _folders(parent: Path, pattern: str) -> list[Path]:
    return sorted(parent.glob(pattern)) if parent.is_dir() else []


def _clock(name: str, per_mhz: float, folder: Path, pattern: str, governor: str) -> Clock | None:
    try:
        now, low, high = (
            float((folder / pattern.format(which)).read_text()) / per_mhz
            for which in ("cur", "min", "max")
        )
        return Clock(name, now, low, high, (folder / governor).read_text().strip())
    except (OSError, ValueError):
        return None
