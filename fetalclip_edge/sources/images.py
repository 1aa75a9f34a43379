"""Image files as a source, and the one place that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fetalclip_edge.errors import ImageError, SourceError
from fetalclip_edge.frame import Pixels, check_pixels
from fetalclip_edge.sources.base import RawFrame, Source, SourceInfo

MAX_FILE_BYTES = 256 * 2**20


def read_image(path: Path) -> Pixels:
    """Returns an 8-bit image as (H, W) gray or (H, W, 3) BGR; transparency is dropped.

    Raises:
        ImageError: it cannot be read or decoded, has other than 8 bits, or an unusable size.
    """
    try:
        size = path.stat().st_size
        if not 0 < size <= MAX_FILE_BYTES:
            raise ImageError(
                f"{path}", expected=f"1 to {MAX_FILE_BYTES} bytes", arrived=f"{size} bytes"
            )
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise ImageError(
            f"{path}", expected="a readable file", arrived=error.strerror or "an error"
        ) from None
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None:
        raise ImageError(
            f"{path}",
            expected="a whole PNG, JPEG, BMP, TIFF or WebP image",
            arrived="something that cannot be decoded",
            remedy="Check that the file is complete",
        )
    if image.dtype != np.uint8:
        raise ImageError(
            f"{path}",
            expected="8 bits a channel",
            arrived=str(image.dtype),
            remedy="Convert it with the window that a reader would use",
        )
    if image.ndim == 3 and image.shape[2] == 4:
        image = image[:, :, :3]
    pixels = np.ascontiguousarray(image, np.uint8)
    try:
        check_pixels(pixels)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    return pixels


class ImageSource(Source):
    """Image files in the order given; a bad one raises `ImageError` and the next read goes on.

    Args:
        paths: at least one file.
        rate_hz: pace that the presentation times stand for.
    """

    def __init__(self, paths: Sequence[Path], rate_hz: float = 1.0) -> None:
        self._paths = tuple(paths)
        self._rate_hz = rate_hz
        self._next = 0

    def open(self) -> SourceInfo:
        """Starts at the first file; `SourceError` when there is none."""
        if not self._paths:
            raise SourceError(
                "image source",
                expected="at least one image",
                arrived="none",
                remedy="Give image files, or a folder that holds them",
            )
        self._next = 0
        return SourceInfo(
            kind="images",
            name=str(self._paths[0].parent),
            live=False,
            rate_hz=self._rate_hz,
            frame_count=len(self._paths),
        )

    def read(self) -> RawFrame | None:
        """Returns the next image, or None after the last."""
        if self._next >= len(self._paths):
            return None
        index, path = self._next, self._paths[self._next]
        self._next += 1  # before reading, so that a bad image is passed by
        return RawFrame(read_image(path), round(index / self._rate_hz * 1e9), path=str(path))

    def close(self) -> None:
        """Holds nothing open."""
