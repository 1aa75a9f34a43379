"""Video files, every frame in order.

OpenCV rescales a file whose size changes midway to the size it began with, and says nothing.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fetalclip_edge.errors import SourceError
from fetalclip_edge.sources.base import RawFrame, Source, SourceInfo

DEFAULT_RATE_HZ = 25.0


class VideoFileSource(Source):
    """A video file. A truncated file ends after its last whole frame.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._capture: cv2.VideoCapture | None = None
        self._rate_hz = DEFAULT_RATE_HZ
        self._index = 0

    def open(self) -> SourceInfo:
        """Opens the file; `SourceError` when it cannot be opened or holds no frame."""
        if not self._path.is_file():
            raise SourceError(f"{self._path}", expected="a video file", arrived="nothing there")
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        if not capture.isOpened() or height < 1 or width < 1:
            capture.release()
            raise SourceError(
                f"{self._path}",
                expected="a video that OpenCV can decode",
                arrived="something that it cannot",
                remedy="Check that the file is complete, or convert it to MKV",
            )
        rate = capture.get(cv2.CAP_PROP_FPS)
        self._rate_hz = rate if 0.1 <= rate <= 1000.0 else DEFAULT_RATE_HZ
        self._capture, self._index = capture, 0
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        return SourceInfo(
            kind="video",
            name=str(self._path),
            live=False,
            size_hw=(height, width),
            rate_hz=self._rate_hz,
            frame_count=count if count > 0 else None,
        )

    def read(self) -> RawFrame | None:
        """Returns the next frame, or None at the end; `SourceError` if there was none at all."""
        if self._capture is None:
            raise SourceError(f"{self._path}", expected="an open source", arrived="a closed one")
        arrived, image = self._capture.read()
        if not arrived:
            if self._index == 0:
                raise SourceError(
                    f"{self._path}",
                    expected="at least one frame",
                    arrived="none",
                    remedy="Check that the file is complete",
                )
            return None
        index, self._index = self._index, self._index + 1
        return RawFrame(np.asarray(image, np.uint8), round(index / self._rate_hz * 1e9))

    def close(self) -> None:
        """Releases the file."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
