"""Frames for INT8 calibration, taken on the cart: the ultrasound alone, and each picture once.

What makes a frame personal is left out: everything outside the sector is black and cropped away,
files have running numbers for names and one date for all, and a frame whose sector cannot be seen
is withheld whole. Writing that lies inside the sector (calipers, notes typed over the picture)
cannot be told from bright tissue and stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Literal

import numpy as np

from fetalclip_edge.errors import UsageError
from fetalclip_edge.frame import Pixels, check_pixels
from fetalclip_edge.frame_folder import FrameFolder
from fetalclip_edge.geometry import Roi
from fetalclip_edge.near_duplicate import MAX_DISTANCE_BITS, NearDuplicates, perceptual_hash
from fetalclip_edge.preprocess import to_gray
from fetalclip_edge.sector import outline
from fetalclip_edge.signal import SignalState, Tick


class Verdict(str, Enum):
    """What became of a frame that arrived."""

    KEPT = "kept"
    DUPLICATE = "near-duplicates"
    NO_SECTOR = "without a sector"
    NOT_LIVE = "not live"
    NOT_DUE = "between looks"


def only_ultrasound(pixels: Pixels, roi: Literal["auto", "none"] | Roi) -> Pixels | None:
    """Returns the gray part (H, W) of a frame that may be kept, or None where none may.

    Args:
        pixels: uint8, (H, W) gray or (H, W, 3) BGR.
        roi: "auto" finds the sector in this very frame, and gives None where it sees none: what
            it does not know may hold a name. A region or "none" is the user's word that what
            lies in it, or in the whole frame, may be kept.

    Raises:
        UsageError: the region reaches beyond the frame.
        ImageError: what is left is smaller than a frame may be.
    """
    gray = to_gray(pixels)
    if roi == "auto":
        # in this very frame: the tracker of a stream holds on to a sector that has changed,
        # and would let through what now stands beside the new one
        sector = outline(gray)
        if sector is None:
            return None
        gray, box = sector.apply(gray), sector.roi
    else:
        size_hw = (gray.shape[0], gray.shape[1])
        box = roi if isinstance(roi, Roi) else Roi.full(size_hw)
        box.check_inside(size_hw)
    kept = np.ascontiguousarray(gray[box.y : box.y + box.height, box.x : box.x + box.width])
    check_pixels(kept)
    return kept


class Collector:
    """Decides on each frame, and keeps those that are new.

    Args:
        folder: where frames go; those that lie there already count as known.
        roi: see `only_ultrasound`.
        every_s: shortest time from one look to the next, on the source's clock; 0 looks at all.
        max_distance_bits: see `NearDuplicates`.

    Raises:
        ImageError: a frame in the folder cannot be read.
    """

    def __init__(
        self,
        folder: FrameFolder,
        roi: Literal["auto", "none"] | Roi = "auto",
        every_s: float = 0.0,
        max_distance_bits: int = MAX_DISTANCE_BITS,
    ) -> None:
        if every_s < 0:
            raise UsageError("--every", expected="0 s or more", arrived=f"{every_s:g}")
        self._folder = folder
        self._roi = roi
        self._every_ns = round(every_s * 1e9)
        self._looked_ns: int | None = None
        self._counts: Counter[Verdict] = Counter()
        self._known = NearDuplicates(max_distance_bits)
        for pixels in folder.frames():
            self._known.add(perceptual_hash(to_gray(pixels)))

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many frames came to each verdict so far."""
        return {verdict: self._counts[verdict] for verdict in Verdict}

    def take(self, tick: Tick) -> Verdict | None:
        """Keeps the frame of a tick or says why not; None where the tick brought no frame.

        Raises:
            SinkError: the frame cannot be written; those before it are whole.
            UsageError: the region reaches beyond the frame.
            ImageError: the frame cannot be used.
        """
        if tick.raw is None:
            return None
        verdict = self._judge(tick.state, tick.raw.pixels, tick.raw.timestamp_ns)
        self._counts[verdict] += 1
        return verdict

    def _judge(self, state: SignalState, pixels: Pixels, timestamp_ns: int) -> Verdict:
        if state is not SignalState.LIVE:
            return Verdict.NOT_LIVE
        if self._looked_ns is not None and 0 <= timestamp_ns - self._looked_ns < self._every_ns:
            return Verdict.NOT_DUE
        self._looked_ns = timestamp_ns
        check_pixels(pixels)
        kept = only_ultrasound(pixels, self._roi)
        if kept is None:
            return Verdict.NO_SECTOR
        if not self._known.add(perceptual_hash(kept)):
            return Verdict.DUPLICATE
        self._folder.add(kept)
        return Verdict.KEPT
