"""From a source frame to what a teacher sees: the region, centred on a black square, unscaled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.frame import Pixels
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox, to_gray


def source_square(pixels: Pixels, roi: Roi | None = None) -> NDArray[np.uint8]:
    """Returns the gray square (S, S) in source pixels, S the longer side of the region.

    It is the student's own letterbox at the size where nothing is scaled, so that one `View`
    shows both the same picture.

    Args:
        pixels: uint8 (H, W) gray or (H, W, 3) BGR.
        roi: region that is seen; None is the whole frame.
    """
    return _square(to_gray(pixels), roi)


def source_square_rgb(pixels: Pixels, roi: Roi | None = None) -> NDArray[np.uint8]:
    """Returns the colour square (S, S, 3), RGB, of a BGR frame (H, W, 3), as `source_square`."""
    channels = [_square(np.ascontiguousarray(pixels[:, :, c]), roi) for c in (2, 1, 0)]
    return np.stack(channels, axis=2)


def is_colour(pixels: Pixels) -> bool:
    """Returns whether a frame holds more than gray, such as colour Doppler or a tinted map."""
    return pixels.ndim == 3 and bool(
        (pixels[..., 0] != pixels[..., 1]).any() or (pixels[..., 1] != pixels[..., 2]).any()
    )


def _square(gray: NDArray[np.uint8], roi: Roi | None) -> NDArray[np.uint8]:
    region = roi or Roi.full((gray.shape[0], gray.shape[1]))
    region.check_inside((gray.shape[0], gray.shape[1]))
    return Letterbox(region, max(region.height, region.width)).forward(gray)
