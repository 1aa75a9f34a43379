"""What this machine's processor can do with INT8, and how its cores are shared."""

from __future__ import annotations

import os
from pathlib import Path

from fetalclip_edge.bundle.manifest import Precision

_DOT_PRODUCTS = frozenset({"avx512_vnni", "avx_vnni", "asimddp", "i8mm"})


def int8_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str] | None:
    """Returns the processor's INT8 dot products by the kernel's names; None is not known.

    Without them INT8 brings little speed, and ONNX Runtime's kernels may saturate.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return _DOT_PRODUCTS & set(text.split())


def processors() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # (not every system can tell)


def core_to_spare(precision: Precision, cores: int) -> bool:
    """Returns whether a core is better left to a thread that prepares the next frame.

    Of two cores INT8 gives one away: the second made it 1.5 times as fast, and what the other
    thread does meanwhile is worth more. It made fp32 1.9 times as fast, which is not.
    """
    return cores > 2 or (cores == 2 and precision is Precision.INT8)
