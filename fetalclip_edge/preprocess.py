"""From source pixels to the model's input and back: one file for training, calibration and cart.

The region is shrunk with area averaging and centred on a black square (letterbox). Model
coordinates (u, v) and source coordinates (x, y) have pixel centres at whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.frame import Frame, Pixels
from fetalclip_edge.geometry import Roi


def to_gray(pixels: Pixels) -> NDArray[np.uint8]:
    """Returns (H, W) uint8; BGR is weighted by ITU-R BT.601, gray passes through uncopied."""
    if pixels.ndim == 2:
        return pixels
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Letterbox:
    """The map between a region of the source and the model's square input.

    Attributes:
        roi: region of the source that the model sees.
        size_px: side of the model's input.
    """

    roi: Roi
    size_px: int

    @property
    def content_hw(self) -> tuple[int, int]:
        """Rows and columns of the square that show the region; the rest is black."""
        longest = max(self.roi.height, self.roi.width)
        return (
            max(1, round(self.roi.height * self.size_px / longest)),
            max(1, round(self.roi.width * self.size_px / longest)),
        )

    @property
    def offset_uv(self) -> tuple[int, int]:
        """Left and top of the content in the square."""
        height, width = self.content_hw
        return (self.size_px - width) // 2, (self.size_px - height) // 2

    @property
    def scale_xy(self) -> tuple[float, float]:
        """Source pixels per model pixel, along x and y."""
        height, width = self.content_hw
        return self.roi.width / width, self.roi.height / height

    def forward(self, gray: NDArray[np.uint8]) -> Pixels:
        """Returns the square uint8 (S, S) for a gray source image (H, W)."""
        roi, (height, width), (left, top) = self.roi, self.content_hw, self.offset_uv
        out = np.zeros((self.size_px, self.size_px), np.uint8)
        crop = gray[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width]
        shrinks = width <= roi.width and height <= roi.height
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        out[top : top + height, left : left + width] = cv2.resize(
            crop, (width, height), interpolation=method
        )
        return out

    def to_source(self, points_uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Maps model points (N, 2) to source points (N, 2)."""
        scale = np.asarray(self.scale_xy)
        corner = np.asarray([self.roi.x, self.roi.y])
        source: NDArray[np.float64] = (points_uv - np.asarray(self.offset_uv) + 0.5) * scale
        return np.asarray(source - 0.5 + corner)

    def to_model(self, points_xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Maps source points (N, 2) to model points (N, 2); the inverse of `to_source`."""
        scale = np.asarray(self.scale_xy)
        corner = np.asarray([self.roi.x, self.roi.y])
        model: NDArray[np.float64] = (points_xy - corner + 0.5) / scale
        return np.asarray(model - 0.5 + np.asarray(self.offset_uv))

    def map_to_source(
        self, values: NDArray[np.float32], size_hw: tuple[int, int]
    ) -> NDArray[np.float32]:
        """Resamples a model map (S, S) onto the source (H, W); -inf outside the region."""
        roi, (height, width), (left, top) = self.roi, self.content_hw, self.offset_uv
        inner = np.ascontiguousarray(values[top : top + height, left : left + width])
        out = np.full(size_hw, -np.inf, np.float32)
        out[roi.y : roi.y + roi.height, roi.x : roi.x + roi.width] = cv2.resize(
            inner, (roi.width, roi.height), interpolation=cv2.INTER_LINEAR
        )
        return out


def preprocess(frame: Frame, size_px: int) -> tuple[NDArray[np.uint8], Letterbox]:
    """Returns the frame's region as uint8 (1, 1, S, S), and the map it was made by."""
    gray = to_gray(frame.pixels)
    if frame.sector is not None:
        gray = frame.sector.apply(gray)
    letterbox = Letterbox(frame.roi or Roi.full(frame.size_hw), size_px)
    return letterbox.forward(gray)[None, None], letterbox
