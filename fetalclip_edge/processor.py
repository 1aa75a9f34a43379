"""What this machine's processor can do with INT8."""

from __future__ import annotations

from pathlib import Path

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
