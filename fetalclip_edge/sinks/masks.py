"""Masks and overlays as PNG files, named as the image they belong to."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.errors import SinkError
from fetalclip_edge.overlay import draw_overlay
from fetalclip_edge.sinks.base import Report, Sink


class _PngFolder:
    """Writes PNGs whole or not at all; two images of one name in different folders both stay."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._owner: dict[str, str] = {}

    def write(self, report: Report, image: NDArray[np.uint8], sub_folder: str = "") -> None:
        folder = self._folder / sub_folder
        target = folder / f"{self._stem(report)}.png"
        temporary = target.with_suffix(".png.tmp")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(cv2.imencode(".png", image)[1].tobytes())
            temporary.replace(target)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise SinkError(
                f"{target}",
                expected="room for one more image",
                arrived=error.strerror or "an error",
                remedy="Free space or choose another place; the images before it are whole",
            ) from None

    def _stem(self, report: Report) -> str:
        if report.path is None:
            index = 0 if report.frame is None else report.frame.index
            return f"frame_{index:06d}"
        path = Path(report.path)
        owner = self._owner.setdefault(path.stem, report.path)
        if owner == report.path:
            return path.stem
        return f"{path.stem}-{hashlib.sha256(report.path.encode()).hexdigest()[:8]}"


class MaskSink(Sink):
    """8-bit PNG masks in the source's own size, 255 inside, one sub-folder a structure."""

    def __init__(self, folder: Path) -> None:
        self._pngs = _PngFolder(folder)

    def write(self, report: Report) -> None:
        """Writes a mask for each structure of the result."""
        if report.result is None:
            return
        for structure in report.result.structures:
            if structure.mask is not None:
                self._pngs.write(report, structure.mask, structure.name)

    def close(self) -> None:
        """Holds nothing open."""


class OverlaySink(Sink):
    """A PNG of each frame with its overlay."""

    def __init__(self, folder: Path) -> None:
        self._pngs = _PngFolder(folder)

    def write(self, report: Report) -> None:
        """Writes the overlay of a frame that arrived."""
        if report.frame is not None:
            self._pngs.write(report, draw_overlay(report))

    def close(self) -> None:
        """Holds nothing open."""
