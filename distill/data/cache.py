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

_SUBPIXEL_BITS = 6


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
    """Draws the filled ellipse with soft edges in model pixels, uint8 (S, S), 255 inside."""
    t = np.linspace(0.0, 2 * np.pi, 256, endpoint=False)
    cos, sin = np.cos(ellipse.angle_rad), np.sin(ellipse.angle_rad)
    along, across = ellipse.semi_major * np.cos(t), ellipse.semi_minor * np.sin(t)
    points = np.stack(
        [
            ellipse.center_xy[0] + along * cos - across * sin,
            ellipse.center_xy[1] + along * sin + across * cos,
        ],
        axis=1,
    )
    fixed = np.round(letterbox.to_model(points) * 2**_SUBPIXEL_BITS).astype(np.int32)
    mask = np.zeros((letterbox.size_px, letterbox.size_px), np.uint8)
    cv2.fillPoly(mask, [fixed], 255, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
    return mask


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
