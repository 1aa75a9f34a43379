"""Frames and masks letterboxed once, exactly as the cart does it, and kept in memory."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from distill.data.sample import Sample
from fetalclip_edge.errors import ImageError
from fetalclip_edge.geometry import Ellipse, Roi
from fetalclip_edge.preprocess import Letterbox


def outline_ellipse(outline: NDArray[np.uint8]) -> Ellipse:
    """Fits an ellipse to the drawn outline (H, W) of HC18; its centre line is the truth."""
    ys, xs = np.nonzero(outline > 127)
    points = np.stack([xs, ys], axis=1).astype(np.float32)
    (x, y), (width, height), angle_deg = cv2.fitEllipseDirect(points)
    if width >= height:
        major, minor, angle = width, height, angle_deg
    else:
        major, minor, angle = height, width, angle_deg + 90.0
    return Ellipse((x, y), major / 2, minor / 2, float(np.deg2rad(angle % 180.0)))


def draw_mask(ellipse: Ellipse, letterbox: Letterbox) -> NDArray[np.uint8]:
    """Draws the filled ellipse in model pixels, uint8 (S, S), 255 inside, 128 on the outline.

    Each pixel holds the share of it that is inside, to first order: half a pixel plus the
    distance to the outline, which is the implicit function over the length of its gradient. A
    polygon fill would also fill the pixels on the outline: half a pixel more all round, which is
    1 % of a head's circumference at 256 pixels.
    """
    side, scale = letterbox.size_px, np.asarray(letterbox.scale_xy)
    v, u = np.mgrid[0:side, 0:side].astype(np.float64)
    points = letterbox.to_source(np.stack([u.ravel(), v.ravel()], axis=1))
    dx, dy = (points - np.asarray(ellipse.center_xy)).T
    cos, sin = np.cos(ellipse.angle_rad), np.sin(ellipse.angle_rad)
    along = (dx * cos + dy * sin) / ellipse.semi_major
    across = (dy * cos - dx * sin) / ellipse.semi_minor
    radius = np.maximum(np.hypot(along, across), 1e-6)
    slope_along, slope_across = along / ellipse.semi_major, across / ellipse.semi_minor
    gradient_uv = np.hypot(
        (slope_along * cos - slope_across * sin) * scale[0],
        (slope_along * sin + slope_across * cos) * scale[1],
    )
    distance_px = (1.0 - radius) * radius / np.maximum(gradient_uv, 1e-9)
    inside = np.clip(0.5 + distance_px, 0.0, 1.0)
    inside[radius < 0.5] = 1.0  # the gradient vanishes at the centre
    return np.asarray(np.rint(255.0 * inside).reshape(side, side), np.uint8)


def _read_gray(path: str) -> NDArray[np.uint8]:
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ImageError(path, expected="an image", arrived="something that cannot be decoded")
    return np.asarray(image, np.uint8)


class CachedFrames(Dataset[tuple[Tensor, Tensor, int, bool]]):
    """Letterboxed frames: (frame uint8 (1, S, S), mask uint8 (1, S, S), plane or -1, has mask)."""

    def __init__(self, samples: list[Sample], size_px: int) -> None:
        self.samples = samples
        side = (len(samples), 1, size_px, size_px)
        self.frames = torch.zeros(side, dtype=torch.uint8)
        self.masks = torch.zeros(side, dtype=torch.uint8)
        for i, sample in enumerate(samples):
            image = _read_gray(str(sample.image))
            letterbox = Letterbox(Roi.full((image.shape[0], image.shape[1])), size_px)
            self.frames[i, 0] = torch.from_numpy(letterbox.forward(image))
            if sample.outline is not None:
                ellipse = outline_ellipse(_read_gray(str(sample.outline)))
                self.masks[i, 0] = torch.from_numpy(draw_mask(ellipse, letterbox))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int, bool]:
        sample = self.samples[index]
        plane = -1 if sample.plane is None else sample.plane
        return self.frames[index], self.masks[index], plane, sample.outline is not None
