"""What enters the pipeline: a frame with its time, scale and region."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.errors import ImageError
from fetalclip_edge.geometry import Roi, SpacingRC, checked_spacing
from fetalclip_edge.region import Sector

Pixels = NDArray[np.uint8]
"""uint8 in [0, 255]: (H, W) gray or (H, W, 3) BGR."""

MIN_SIDE_PX = 16
MAX_SIDE_PX = 8192


class ScaleOrigin(str, Enum):
    """Who said how large a pixel is."""

    USER = "user"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class Scale:
    """A known pixel spacing and who said so.

    Attributes:
        spacing_mm_rc: mm between rows and between columns, each in (0, 10].
        origin: the user, or the source itself.
    """

    spacing_mm_rc: SpacingRC
    origin: ScaleOrigin

    def __post_init__(self) -> None:
        object.__setattr__(self, "spacing_mm_rc", checked_spacing(self.spacing_mm_rc))


def check_pixels(pixels: Pixels) -> None:
    """Raises `ImageError` unless `pixels` is uint8, (H, W) or (H, W, 3), 16 to 8192 a side."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise ImageError(
            "frame",
            expected="uint8 of shape (H, W) or (H, W, 3)",
            arrived=f"{pixels.dtype} of shape {pixels.shape}",
            remedy="Convert it to 8 bits a channel",
        )
    if min(pixels.shape[:2]) < MIN_SIDE_PX or max(pixels.shape[:2]) > MAX_SIDE_PX:
        raise ImageError(
            "frame size",
            expected=f"{MIN_SIDE_PX} to {MAX_SIDE_PX} pixels a side",
            arrived=f"{pixels.shape[1]} x {pixels.shape[0]}",
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """One image on its way through the pipeline.

    Attributes:
        pixels: uint8, (H, W) gray or (H, W, 3) BGR; not written to by the pipeline.
        index: position in its stream, from 0; frames that were dropped are counted.
        timestamp_ns: capture time on the source's clock (monotonic for live sources,
            presentation time for files).
        geometry_epoch: frames of one epoch share size, region and scale, and nothing that was
            derived from an older epoch (smoothing, overlay, measurement) may be used with them.
        roi: the region the model sees; None is the whole image.
        scale: pixel spacing, or None when it is not known; then nothing is given in mm.
        sector: the ultrasound inside `roi`; the model sees everything else in the box as black,
            `pixels` keeps it for the screen. None: all of `roi` is shown to the model.
    """

    pixels: Pixels
    index: int = 0
    timestamp_ns: int = 0
    geometry_epoch: int = 0
    roi: Roi | None = None
    scale: Scale | None = None
    sector: Sector | None = None

    def __post_init__(self) -> None:
        check_pixels(self.pixels)
        if self.roi is not None:
            self.roi.check_inside(self.size_hw)
        if self.sector is not None:
            self.sector.roi.check_inside(self.size_hw)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pixels.shape[0], self.pixels.shape[1]
