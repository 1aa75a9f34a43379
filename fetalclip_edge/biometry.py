"""Mask logits to ellipse to millimetres, in source pixels and with sub-pixel precision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.geometry import Ellipse, SpacingRC, ellipse_circumference
from fetalclip_edge.preprocess import Letterbox

MIN_CONTOUR_POINTS = 24
_LOGIT_CLIP = 30.0


@dataclass(frozen=True, slots=True)
class Shape:
    """What was found in one mask channel.

    Attributes:
        score: mean probability inside the largest component, in [0, 1]; 0 when empty.
        ellipse: the fit in source pixels, or None when there is too little to fit.
        fit_residual: RMS distance of the contour from the ellipse over the mean half axis.
        border_fraction: share of the contour that lies on the border of the region seen.
    """

    score: float
    ellipse: Ellipse | None
    fit_residual: float
    border_fraction: float


EMPTY = Shape(score=0.0, ellipse=None, fit_residual=math.nan, border_fraction=0.0)


def largest_component(inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns uint8 0/1 (S, S) with only the largest 8-connected component of a 0/1 image."""
    left, top, width, height = cv2.boundingRect(inside)
    biggest = np.zeros_like(inside)
    if width == 0:  # OpenCV crashes on an image without pixels
        return biggest
    part = inside[top : top + height, left : left + width]  # labelling costs by the pixel
    _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8)
    label = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    biggest[top : top + height, left : left + width] = labels == label
    return biggest


def crossings(logits: NDArray[np.float32], inside: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns where the logits cross zero on the grid lines around a component, (N, 2) as (u, v).

    The crossing between two neighbours of opposite sign is interpolated linearly, as marching
    squares does (Lorensen & Cline, SIGGRAPH 1987, in two dimensions).
    """
    found = []
    for axis in (1, 0):
        first = [slice(None), slice(None)]
        second = [slice(None), slice(None)]
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        # few pixels lie on the edge: only those are looked at any further
        edge = inside[tuple(first)] != inside[tuple(second)]
        rows, cols = np.divmod(np.flatnonzero(edge), edge.shape[1])  # quicker than `nonzero`
        a = np.clip(logits[tuple(first)][rows, cols], -_LOGIT_CLIP, _LOGIT_CLIP)
        b = np.clip(logits[tuple(second)][rows, cols], -_LOGIT_CLIP, _LOGIT_CLIP)
        change = (a > 0) != (b > 0)
        rows, cols, a, b = rows[change], cols[change], a[change], b[change]
        points = np.stack([cols, rows], axis=1).astype(np.float64)
        points[:, 0 if axis == 1 else 1] += a / (a - b)
        found.append(points)
    return np.concatenate(found)


def fit_ellipse(points_xy: NDArray[np.float64]) -> Ellipse | None:
    """Fits an ellipse to (N, 2) points by direct least squares, or returns None.

    Fitzgibbon, Pilu & Fisher, Direct Least Square Fitting of Ellipses, IEEE PAMI 21(5), 1999.
    """
    if len(points_xy) < MIN_CONTOUR_POINTS:
        return None
    (x, y), (width, height), angle_deg = cv2.fitEllipseDirect(points_xy.astype(np.float32))
    if width < height:
        width, height, angle_deg = height, width, angle_deg + 90.0
    try:
        return Ellipse((x, y), width / 2, height / 2, math.radians(angle_deg % 180.0))
    except ValueError:  # a degenerate fit is no ellipse
        return None


def residual(ellipse: Ellipse, points_xy: NDArray[np.float64]) -> float:
    """Returns the RMS radial distance of points from the ellipse over its mean half axis."""
    cos, sin = math.cos(ellipse.angle_rad), math.sin(ellipse.angle_rad)
    dx, dy = (points_xy - np.asarray(ellipse.center_xy)).T
    radius = np.hypot(
        (dx * cos + dy * sin) / ellipse.semi_major, (dy * cos - dx * sin) / ellipse.semi_minor
    )
    distance = np.hypot(dx, dy) * np.abs(1.0 - 1.0 / np.maximum(radius, 1e-6))
    mean_axis = (ellipse.semi_major + ellipse.semi_minor) / 2
    return float(np.sqrt(np.mean(distance**2)) / mean_axis)


def find_shape(logits: NDArray[np.float32], letterbox: Letterbox) -> Shape:
    """Finds the largest component of mask logits (S, S) and fits an ellipse in source pixels."""
    (height, width), (left, top) = letterbox.content_hw, letterbox.offset_uv
    inner = logits[top : top + height, left : left + width]
    inside = largest_component(np.asarray(inner > 0, np.uint8))
    area = int(inside.sum())
    if area == 0:
        return EMPTY
    inner_logits = np.clip(inner[inside > 0], -_LOGIT_CLIP, _LOGIT_CLIP)
    score = float(np.mean(1.0 / (1.0 + np.exp(-inner_logits))))
    points = crossings(inner, inside)
    at_border = int(inside[0].sum() + inside[-1].sum() + inside[:, 0].sum() + inside[:, -1].sum())
    border_fraction = at_border / max(1, at_border + len(points))
    source = letterbox.to_source(points + np.asarray([left, top]))
    ellipse = fit_ellipse(source)
    off = math.nan if ellipse is None else residual(ellipse, source)
    return Shape(score, ellipse, off, border_fraction)


def measure(kind: str, ellipse: Ellipse, spacing_mm_rc: SpacingRC) -> float:
    """Returns a head measurement in mm from the ellipse around the outer skull.

    HC is the circumference; OFD and BPD are the long and the short axis, outer to outer.
    """
    semi_major, semi_minor = ellipse.semi_axes_mm(spacing_mm_rc)
    if kind == "HC":
        return ellipse_circumference(semi_major, semi_minor)
    if kind == "OFD":
        return 2.0 * semi_major
    if kind == "BPD":
        return 2.0 * semi_minor
    raise ValueError(f"measurement kind must be HC, BPD or OFD, got {kind!r}")
