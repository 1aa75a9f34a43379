"""Finds the ultrasound on a cart's screen, so that the model sees no text, ruler or gray bar.

Speckle differs a little from pixel to pixel almost everywhere; text, icons and bars are flat
with hard edges, and the rest of the screen is black. The share of pixels with a small step to
their neighbour, on a grid of about 240 cells, separates the two. What survives an opening larger
than a line of text is closed to a convex hull, and a hull that is nearly its own mirror image is
completed to it: probes draw symmetric fans, of which shadows hide one side.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.frame import Pixels
from fetalclip_edge.region import Sector

GRID_CELLS = 240
"""Cells along the longer side; one is about 4 pixels of a usual screen."""

_BLACK = 2
"""Gray value up to which a pixel is empty: codec noise around black stays below."""

_STEP_MAX = 40
"""Largest step between neighbours that still is speckle."""

_EDGE_MIN = 50
"""Smallest step that counts as the edge of a glyph; speckle is wider than a pixel."""

_TEXTURE_SHARE = 90
"""Share of textured pixels, of 255, from which a cell is ultrasound."""

_GLYPH_SHARE = 9
"""Share of hard edges, of 255, from which the surroundings are text."""

_OPENING_CELLS = 7
"""A blob must hold an ellipse this wide: more than a line of text, fewer than an organ."""

_BLOB_SHARE = 0.003
"""Smallest blob, as a share of the largest, that belongs to the sector."""

_MIRROR_IOU = 0.8
"""A hull that overlaps its mirror image by this much is taken for a symmetric fan."""

_AREA_MIN, _AREA_FULL = 0.05, 0.97
"""Share of the frame below which nothing was found, and above which it is the whole frame."""

_GrayMask = NDArray[np.uint8]
_Corners = NDArray[np.int32]


def _textured_cells(gray: Pixels) -> _GrayMask:
    """Returns the grid, 255 where a cell looks like speckle."""
    height, width = gray.shape
    shrink = max(1.0, max(height, width) / GRID_CELLS)
    grid_wh = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    # along rows only: the cart's own bars are shaded from top to bottom
    step = cv2.absdiff(gray[:, 1:], gray[:, :-1])
    texture = cv2.bitwise_and(
        cv2.inRange(step, 1, _STEP_MAX),
        cv2.threshold(gray[:, 1:], _BLACK, 255, cv2.THRESH_BINARY)[1],
    )
    edges = cv2.threshold(step, _EDGE_MIN, 255, cv2.THRESH_BINARY)[1]
    texture = cv2.blur(cv2.resize(texture, grid_wh, interpolation=cv2.INTER_AREA), (3, 3))
    edges = cv2.blur(cv2.resize(edges, grid_wh, interpolation=cv2.INTER_AREA), (9, 5))
    cells = np.where((texture > _TEXTURE_SHARE) & (edges <= _GLYPH_SHARE), 255, 0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_OPENING_CELLS, _OPENING_CELLS))
    return np.asarray(cv2.morphologyEx(cells.astype(np.uint8), cv2.MORPH_OPEN, kernel), np.uint8)


def _hull(points: _Corners) -> _Corners:
    """Returns the corners (N, 2) of the convex hull; OpenCV's own shape differs by version."""
    hull = cv2.convexHull(np.ascontiguousarray(points.reshape(-1, 2), np.int32))
    return np.asarray(hull, np.int32).reshape(-1, 2)


def _filled(corners: _Corners, shape: tuple[int, int]) -> NDArray[np.bool_]:
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [corners], 1)
    return canvas > 0


def _completed(hull: _Corners, shape: tuple[int, int]) -> _Corners:
    """Returns the hull together with its mirror image, if it nearly is its own."""
    own = _filled(hull, shape)
    columns = np.flatnonzero(own.any(axis=0))
    centroid = float((own.sum(axis=0) * np.arange(shape[1])).sum() / own.sum())
    best_iou, best = _MIRROR_IOU, hull
    for axis in (columns.mean(), centroid, (shape[1] - 1) / 2):
        mirror = hull.copy()
        mirror[:, 0] = np.clip(np.rint(2 * axis - hull[:, 0]), 0, shape[1] - 1)
        other = _filled(mirror, shape)
        iou = np.count_nonzero(own & other) / np.count_nonzero(own | other)
        if iou > best_iou:
            best_iou = iou
            best = _hull(np.vstack([hull, mirror]))
    return best


def _sector(points: NDArray[np.int32]) -> Sector | None:
    """Returns the sector around points of shape (N, 2), or None where they span no area."""
    # rounding may bend a straight run by a hair; a second hull takes that out again
    hull = _hull(points)
    if len(hull) < 3:
        return None
    return Sector.from_polygon(tuple((int(x), int(y)) for x, y in hull))


def outline(pixels: Pixels) -> Sector | None:
    """Returns the ultrasound in the frame and nothing beyond it, or None where none is seen.

    `detect` rounds a sector that fills the frame up to the whole of it, for a model's sake; what
    is left of the frame may still hold a line of text.

    Args:
        pixels: uint8, (H, W) gray or (H, W, 3) BGR.
    """
    found = _hull_in_cells(pixels)
    if found is None:
        return None
    return _in_pixels(*found, (pixels.shape[0], pixels.shape[1]))


def detect(pixels: Pixels) -> Sector | None:
    """Returns the ultrasound in the frame, or None where there is none to be seen.

    Args:
        pixels: uint8, (H, W) gray or (H, W, 3) BGR.

    Returns:
        The sector; one with the corners of the frame where nearly all of it is ultrasound.
    """
    found = _hull_in_cells(pixels)
    if found is None:
        return None
    (hull, cells_hw), size_hw = found, (pixels.shape[0], pixels.shape[1])
    if np.count_nonzero(_filled(hull, cells_hw)) > _AREA_FULL * cells_hw[0] * cells_hw[1]:
        return _whole(size_hw)
    return _in_pixels(hull, cells_hw, size_hw)


def _hull_in_cells(pixels: Pixels) -> tuple[_Corners, tuple[int, int]] | None:
    """Returns the corners (N, 2) of the ultrasound in cells, and the size of the grid."""
    gray = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    cells = _textured_cells(np.asarray(gray, np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cells)
    if count < 2:
        return None
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0  # the background
    kept = (areas >= _BLOB_SHARE * areas.max())[labels].astype(np.uint8)
    outlines, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cells_hw = (cells.shape[0], cells.shape[1])
    hull = _completed(_hull(np.vstack(outlines)), cells_hw)
    share = float(np.count_nonzero(_filled(hull, cells_hw))) / cells.size
    return None if share < _AREA_MIN else (hull, cells_hw)


def _in_pixels(
    hull: _Corners, cells_hw: tuple[int, int], size_hw: tuple[int, int]
) -> Sector | None:
    grid_wh, size_wh = np.array(cells_hw[::-1]), np.array(size_hw[::-1])
    points = (hull + 0.5) * (size_wh / grid_wh) - 0.5
    # the outermost cells end at the border of the frame, not at their own centre
    points = np.where(hull == 0, 0, points)
    points = np.where(hull == grid_wh - 1, size_wh - 1, points)
    return _sector(np.rint(points).astype(np.int32))


def find_sector(pixels: Pixels) -> Sector | None:
    """Returns the ultrasound in the frame, or None for the whole image.

    None both where nearly all of the frame is ultrasound and where nothing convincing is found:
    the model then sees everything.

    Args:
        pixels: uint8, (H, W) gray or (H, W, 3) BGR.
    """
    found = detect(pixels)
    return None if found is None or _is_whole(found, pixels.shape[:2]) else found


def _whole(size_hw: tuple[int, int]) -> Sector:
    right, bottom = size_hw[1] - 1, size_hw[0] - 1
    return Sector.from_polygon(((0, 0), (right, 0), (right, bottom), (0, bottom)))


def _is_whole(sector: Sector, size_hw: tuple[int, ...]) -> bool:
    return sector == _whole((size_hw[0], size_hw[1]))


def _union(first: Sector, second: Sector) -> Sector:
    joined = _sector(np.array(first.polygon_xy + second.polygon_xy, np.int32))
    return first if joined is None else joined


def _holds(outer: Sector, inner: Sector, same_iou: float) -> bool:
    """Whether `inner` adds next to nothing to `outer`."""
    return _union(outer, inner).iou(outer) >= same_iou


class SectorTracker:
    """Follows the sector of one stream and reports only lasting changes of layout.

    What is reported stays the same object until it changes. Looks that agree with it (IoU of at
    least `same_iou`) only widen a hidden union, which takes over once it has outgrown what is
    reported: what was in shadow at first. Looks that disagree must agree with each other
    `confirm` times in a row, or `confirm_smaller` times where they lie within the present
    sector: a dark frame or a shadow looks like a smaller sector, a new depth or zoom lasts.

    Args:
        every: frames from one look to the next, at least 1.
        confirm: looks in a row that make a change.
        confirm_smaller: looks in a row that make the sector smaller.
        same_iou: overlap from which two sectors are the same.
    """

    def __init__(
        self,
        every: int = 15,
        confirm: int = 3,
        confirm_smaller: int = 10,
        same_iou: float = 0.9,
    ) -> None:
        self._every = max(1, every)
        self._confirm = confirm
        self._confirm_smaller = confirm_smaller
        self._same_iou = same_iou
        self.reset()

    def reset(self) -> None:
        """Forgets everything; the next frame is looked at, and its sector taken at once."""
        self._since_look = 0
        self._current: Sector | None = None
        self._union: Sector | None = None
        self._rival: Sector | None = None
        self._rival_looks = 0
        self._started = False

    def update(self, pixels: Pixels) -> Sector | None:
        """Returns the sector to use for this frame, None for the whole image.

        Args:
            pixels: uint8, (H, W) or (H, W, 3); of the same size until `reset`.
        """
        if self._since_look == 0:
            self._look(detect(pixels))
        self._since_look = (self._since_look + 1) % self._every
        current = self._current
        return None if current is None or _is_whole(current, pixels.shape[:2]) else current

    def _look(self, found: Sector | None) -> None:
        if not self._started:
            self._started = True
            self._adopt(found)
        elif found is None:
            self._rival, self._rival_looks = None, 0  # a black frame says nothing
        elif self._current is not None and found.iou(self._current) >= self._same_iou:
            self._rival, self._rival_looks = None, 0
            union = self._union = _union(self._union or self._current, found)
            if union.iou(self._current) < self._same_iou:
                self._adopt(union)
        else:
            self._doubt(found)

    def _doubt(self, found: Sector) -> None:
        # a look that holds all of the one before goes on counting: a picture that is filling up
        if self._rival is not None and _holds(found, self._rival, self._same_iou):
            self._rival_looks += 1
        else:
            self._rival_looks = 1
        self._rival = found
        smaller = self._current is not None and _holds(self._current, found, self._same_iou)
        if self._rival_looks >= (self._confirm_smaller if smaller else self._confirm):
            self._adopt(found)

    def _adopt(self, sector: Sector | None) -> None:
        self._current = self._union = sector
        self._rival, self._rival_looks = None, 0
