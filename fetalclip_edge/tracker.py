"""Gives each frame its region, scale and epoch: what may be compared with what came before.

Epochs exist so that no millimetre is ever taken with a scale from another picture: a new depth,
zoom, input size or connection ends the epoch, and a scale that the user gave ends with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fetalclip_edge.errors import UsageError
from fetalclip_edge.frame import Frame, Pixels, Scale, ScaleOrigin
from fetalclip_edge.geometry import Roi, SpacingRC
from fetalclip_edge.region import Sector
from fetalclip_edge.sector import SectorTracker
from fetalclip_edge.signal import Tick


@dataclass(frozen=True, slots=True)
class _Geometry:
    """All that a frame must share with another of the same epoch."""

    size_hw: tuple[int, int]
    connection: int
    sector: Sector | None
    source_spacing: SpacingRC | None


class GeometryTracker:
    """Turns ticks into frames.

    Args:
        roi: "auto" finds the ultrasound on the screen, "none" takes the whole image, a `Roi` is
            taken as it is.
        spacing_mm_rc: mm per pixel (row, column) from the user. It is bound to the first
            geometry seen: after any change it is withheld until given anew.
        sectors: follows the sector where `roi` is "auto".

    Raises:
        UsageError: the spacing is not in (0, 10] mm, or `roi` is neither word nor region.
    """

    def __init__(
        self,
        roi: Literal["auto", "none"] | Roi = "auto",
        spacing_mm_rc: SpacingRC | None = None,
        sectors: SectorTracker | None = None,
    ) -> None:
        if not isinstance(roi, Roi) and roi not in ("auto", "none"):
            raise UsageError("region of interest", expected="auto, none or x,y,w,h", arrived=roi)
        self._roi = roi
        self._sectors = sectors if sectors is not None else SectorTracker()
        self._user_scale: Scale | None = None
        # epoch that the user's scale is bound to; None: the next one seen
        self._scale_epoch: int | None = None
        self._epoch = -1
        self._geometry: _Geometry | None = None
        if spacing_mm_rc is not None:
            self.give_spacing(spacing_mm_rc)

    @property
    def epoch(self) -> int:
        """The present epoch, from 0; -1 before the first frame."""
        return self._epoch

    @property
    def withheld(self) -> bool:
        """Whether the user gave a scale that no longer holds and has to be given anew."""
        return self._user_scale is not None and self._scale_epoch not in (None, self._epoch)

    def give_spacing(self, spacing_mm_rc: SpacingRC) -> None:
        """Takes the user's scale for the geometry on the screen now.

        Where that changes the scale of an epoch that has begun, a new one starts with the next
        frame. A scale that the source itself gives goes before it.

        Args:
            spacing_mm_rc: mm per pixel (row, column) of the whole image, each in (0, 10].

        Raises:
            UsageError: the spacing is out of range.
        """
        scale = Scale(spacing_mm_rc, ScaleOrigin.USER)
        unchanged = scale == self._user_scale and not self.withheld
        self._user_scale = scale
        if self._geometry is None:
            self._scale_epoch = None
        elif not unchanged:
            # frames of one epoch share their scale, so a new scale is a new epoch; it starts
            # here, and `frame` finds the geometry as it was
            self._epoch += 1
            self._scale_epoch = self._epoch

    def frame(self, tick: Tick) -> Frame:
        """Returns the frame of a tick with its region, scale and epoch.

        Args:
            tick: one that brought a frame.

        Raises:
            ValueError: the tick brought none.
            ImageError: the pixels have an unusable form or size.
            UsageError: a fixed region reaches beyond the frame.
        """
        raw = tick.raw
        if raw is None:
            raise ValueError(f"a tick without a frame has no geometry: {tick.state.value}")
        # made first, as it checks the pixels before anything is looked for in them
        bare = Frame(raw.pixels, tick.index, raw.timestamp_ns)
        last = self._geometry
        if last is None or (last.size_hw, last.connection) != (bare.size_hw, tick.connection):
            self._sectors.reset()
        sector = self._sector(raw.pixels)
        geometry = _Geometry(bare.size_hw, tick.connection, sector, raw.spacing_mm_rc)
        if geometry != last:
            self._geometry = geometry
            self._epoch += 1
            if last is None and self._user_scale is not None:
                self._scale_epoch = self._epoch
        return Frame(
            pixels=raw.pixels,
            index=tick.index,
            timestamp_ns=raw.timestamp_ns,
            geometry_epoch=self._epoch,
            roi=self._roi if isinstance(self._roi, Roi) else sector.roi if sector else None,
            scale=self._scale(raw.spacing_mm_rc),
            sector=sector,
        )

    def _sector(self, pixels: Pixels) -> Sector | None:
        return self._sectors.update(pixels) if self._roi == "auto" else None

    def _scale(self, source_spacing: SpacingRC | None) -> Scale | None:
        if source_spacing is not None:
            return Scale(source_spacing, ScaleOrigin.SOURCE)
        return None if self.withheld else self._user_scale
