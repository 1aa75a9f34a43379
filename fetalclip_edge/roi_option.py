"""What ``--roi`` may be."""

from __future__ import annotations

from typing import Literal

from fetalclip_edge.errors import UsageError
from fetalclip_edge.geometry import Roi


def parse_roi(text: str) -> Roi | Literal["auto", "none"]:
    """Returns "auto", "none" or the region in `text`; `UsageError` for anything else."""
    if text == "auto":
        return "auto"
    if text == "none":
        return "none"
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            "--roi", expected="auto, none, or x,y,w,h in pixels", arrived=repr(text)
        ) from None
    return Roi(x, y, width, height)
