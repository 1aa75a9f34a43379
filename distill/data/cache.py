"""Frames and masks letterboxed once, exactly as the cart does it, and kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from distill.data.sample import HEAD, Sample
from fetalclip_edge.errors import ImageError
from fetalclip_edge.geometry import Ellipse, Roi
from fetalclip_edge.preprocess import Letterbox, to_gray
from fetalclip_edge.sources.images import read_image


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


def filled_mask(path: Path, letterbox: Letterbox) -> NDArray[np.uint8]:
    """Returns a mask file in model pixels, uint8 (S, S): 255 inside, in between on the edge.

    Raises:
        ImageError: it is not 8-bit gray, not of its frame's size, or does not reach 255 anywhere
            though it is not empty, as a file of class numbers does not.
    """
    mask = read_image(path)
    size_hw = (letterbox.roi.height, letterbox.roi.width)
    if mask.shape != size_hw:
        raise ImageError(
            f"mask {path}",
            expected=f"gray, {size_hw[1]} x {size_hw[0]} pixels as its image",
            arrived=f"{mask.shape[1]} x {mask.shape[0]} in {mask[0, 0].size} channels",
        )
    if mask.max() not in (0, 255):
        raise ImageError(
            f"mask {path}",
            expected="255 inside and 0 outside",
            arrived=f"{mask.max()} at most",
            remedy="Write each structure into a mask of its own",
        )
    return letterbox.forward(mask)


class CachedFrames(Dataset[tuple[Tensor, Tensor, int, Tensor]]):
    """Letterboxed frames with their labels.

    An item is (frame uint8 (1, S, S), masks uint8 (M, S, S), plane or -1, labelled bool (M,)): a
    channel that is not labelled is black and must not be learnt from.

    Args:
        samples: frames and their labels.
        size_px: S.
        structures: names of the M mask channels, in order; other masks are left aside.

    Raises:
        ImageError: an image or a mask cannot be used.
    """

    def __init__(
        self, samples: list[Sample], size_px: int, structures: tuple[str, ...] = (HEAD,)
    ) -> None:
        self.samples = samples
        self.structures = structures
        count, channels = len(samples), len(structures)
        self.frames = torch.zeros((count, 1, size_px, size_px), dtype=torch.uint8)
        self.masks = torch.zeros((count, channels, size_px, size_px), dtype=torch.uint8)
        self.labelled = torch.zeros((count, channels), dtype=torch.bool)
        for i, sample in enumerate(samples):
            image = to_gray(read_image(sample.image))
            letterbox = Letterbox(Roi.full((image.shape[0], image.shape[1])), size_px)
            self.frames[i, 0] = torch.from_numpy(letterbox.forward(image))
            for structure, mask in _masks(sample, structures, letterbox):
                channel = structures.index(structure)
                self.masks[i, channel] = torch.from_numpy(mask)
                self.labelled[i, channel] = True

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int, Tensor]:
        sample = self.samples[index]
        plane = -1 if sample.plane is None else sample.plane
        return self.frames[index], self.masks[index], plane, self.labelled[index]


def _masks(
    sample: Sample, structures: tuple[str, ...], letterbox: Letterbox
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    if sample.outline is not None and HEAD in structures:
        outline = to_gray(read_image(sample.outline))
        yield HEAD, draw_mask(outline_ellipse(outline), letterbox)
    for mask in sample.masks:
        if mask.structure in structures:
            yield mask.structure, filled_mask(mask.path, letterbox)
