"""The part of a screen that is ultrasound, as plain numbers; `sector.py` finds it.

Apart from `sector.py` so that `frame.py` can hold one without importing OpenCV.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.errors import UsageError
from fetalclip_edge.geometry import Roi

PointXY = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sector:
    """The fan, trapezoid or rectangle that a probe draws, without the writing around it.

    Attributes:
        roi: bounding box of the polygon.
        polygon_xy: corners (x, y) of a convex polygon in pixels of the whole image, in order
            along its edge; the corners themselves belong to the sector.
    """

    roi: Roi
    polygon_xy: tuple[PointXY, ...]

    def __post_init__(self) -> None:
        if len(self.polygon_xy) < 3 or self.roi != _bounds(self.polygon_xy):
            raise UsageError(
                "ultrasound sector",
                expected="three or more corners, and the box around them as its region",
                arrived=f"{self.polygon_xy} in {self.roi}",
            )
        if not _is_convex(self.polygon_xy):
            raise UsageError(
                "ultrasound sector", expected="a convex polygon", arrived=f"{self.polygon_xy}"
            )

    @classmethod
    def from_polygon(cls, polygon_xy: tuple[PointXY, ...]) -> Sector:
        """Returns the sector with these corners; `UsageError` unless they are convex."""
        if len(polygon_xy) < 3:
            raise UsageError(
                "ultrasound sector", expected="three or more corners", arrived=f"{polygon_xy}"
            )
        return cls(_bounds(polygon_xy), polygon_xy)

    def roi_mask(self) -> NDArray[np.uint8]:
        """Returns (roi.height, roi.width) of 1 inside and 0 outside; cached and read-only."""
        return _roi_mask(self)

    def mask(self, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns (H, W) of 1 inside and 0 outside; cached and read-only.

        Raises:
            UsageError: the sector reaches beyond an image of `size_hw`.
        """
        return _full_mask(self, size_hw)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns a copy of the whole image with everything outside the sector black.

        Args:
            pixels: uint8, (H, W) or (H, W, 3); cropping to `roi` stays with the caller.

        Raises:
            UsageError: the sector reaches beyond the image.
        """
        mask = self.mask((pixels.shape[0], pixels.shape[1]))
        return pixels * (mask if pixels.ndim == 2 else mask[..., None])

    def iou(self, other: Sector) -> float:
        """Returns intersection over union with another sector, in [0, 1]."""
        bottom = max(s.roi.y + s.roi.height for s in (self, other))
        right = max(s.roi.x + s.roi.width for s in (self, other))
        mine, its = self.mask((bottom, right)), other.mask((bottom, right))
        both = int(np.count_nonzero(mine & its))
        return both / int(np.count_nonzero(mine | its))


def _bounds(polygon_xy: tuple[PointXY, ...]) -> Roi:
    xs, ys = [x for x, _ in polygon_xy], [y for _, y in polygon_xy]
    return Roi(min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)


def _is_convex(polygon_xy: tuple[PointXY, ...]) -> bool:
    """Whether the edges all turn the same way, once round, around some area."""
    n = len(polygon_xy)
    edges = []
    for i, (x, y) in enumerate(polygon_xy):
        next_x, next_y = polygon_xy[(i + 1) % n]
        edges.append((next_x - x, next_y - y))
    turns = []
    for i, (dx, dy) in enumerate(edges):
        ex, ey = edges[(i + 1) % n]
        turns.append(math.atan2(dx * ey - dy * ex, dx * ex + dy * ey))
    one_way = all(t >= 0 for t in turns) or all(t <= 0 for t in turns)
    # a star turns one way too, but more than once round
    return one_way and abs(abs(sum(turns)) - 2 * math.pi) < 1e-6


@lru_cache(maxsize=8)
def _roi_mask(sector: Sector) -> NDArray[np.uint8]:
    roi = sector.roi
    rows = np.arange(roi.y, roi.y + roi.height, dtype=np.float64)
    left = np.full(roi.height, np.inf)
    right = np.full(roi.height, -np.inf)
    corners = sector.polygon_xy
    # a convex region is one span per row: the reach of the edges that cross the row
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        low, high = sorted((y0, y1))
        span = slice(low - roi.y, high - roi.y + 1)
        if y0 == y1:
            ends = np.array([[float(min(x0, x1))], [float(max(x0, x1))]])
        else:
            at = x0 + (rows[span] - y0) * ((x1 - x0) / (y1 - y0))
            ends = np.stack([at, at])
        left[span] = np.minimum(left[span], ends[0])
        right[span] = np.maximum(right[span], ends[1])
    columns = np.arange(roi.x, roi.x + roi.width)
    # 1e-6: a corner must not fall out of its own polygon by rounding
    inside = (columns >= left[:, None] - 1e-6) & (columns <= right[:, None] + 1e-6)
    mask = inside.astype(np.uint8)
    mask.flags.writeable = False
    return mask


@lru_cache(maxsize=8)
def _full_mask(sector: Sector, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    roi = sector.roi
    roi.check_inside(size_hw)
    mask = np.zeros(size_hw, np.uint8)
    mask[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width] = _roi_mask(sector)
    mask.flags.writeable = False
    return mask
