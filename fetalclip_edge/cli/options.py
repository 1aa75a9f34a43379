"""Options that several commands share, as typed values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetalclip_edge.errors import UsageError

if TYPE_CHECKING:  # the help needs the texts alone
    from fetalclip_edge.bundle.manifest import Backend, Precision

AUTO = "auto"
BACKEND_HELP = "auto, tensorrt or onnxruntime."
PRECISION_HELP = "auto (the fastest that passed its gate), fp32, fp16 or int8."


def parse_backend(text: str) -> Backend | None:
    """Returns the backend named, None for auto; raises `UsageError` for anything else."""
    from fetalclip_edge.bundle.manifest import Backend

    if text == AUTO:
        return None
    try:
        return Backend(text)
    except ValueError:
        raise UsageError("--backend", expected=BACKEND_HELP[:-1], arrived=text) from None


def parse_precision(text: str) -> Precision:
    """Returns the precision named, or raises `UsageError`."""
    from fetalclip_edge.bundle.manifest import Precision

    try:
        return Precision(text)
    except ValueError:
        raise UsageError("--precision", expected="fp32, fp16 or int8", arrived=text) from None


def parse_precision_or_auto(text: str) -> Precision | None:
    """Returns the precision named, None for auto; raises `UsageError` for anything else."""
    return None if text == AUTO else parse_precision(text)
