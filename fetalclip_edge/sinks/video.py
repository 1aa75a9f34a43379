"""Annotated video: MKV with motion JPEG, which stays readable after a kill."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

from fetalclip_edge.errors import SinkError, UsageError
from fetalclip_edge.overlay import draw_overlay
from fetalclip_edge.sinks.base import Report, Sink, cannot_write

_CODECS = {".mkv": "MJPG", ".mp4": "mp4v"}
_CHECK_EVERY = 25
_MIN_FREE_BYTES = 8 * 2**20


class VideoSink(Sink):
    """Writes each report's overlay.

    A picture of another size than the first is fitted into the first one's frame.

    Args:
        path: `.mkv`, or `.mp4`, which is only readable after a clean exit.
        rate_hz: frames per second of the file.

    Raises:
        UsageError: another extension.
        SinkError: the folder is not there, or its disk is full.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        if path.suffix.lower() not in _CODECS:
            raise UsageError(f"{path}", expected=".mkv or .mp4", arrived=path.suffix or "nothing")
        self._path, self._rate_hz = path, rate_hz
        self._writer: cv2.VideoWriter | None = None
        self._size_hw = (0, 0)
        self._written = 0
        self._check_space()  # now, not at the first frame

    def write(self, report: Report) -> None:
        """Writes one picture."""
        picture = draw_overlay(report, self._size_hw if self._writer else (480, 640))
        if self._writer is None:
            self._size_hw = (picture.shape[0], picture.shape[1])
            self._writer = self._open()
        height, width = self._size_hw
        if picture.shape[:2] != self._size_hw:
            scale = min(height / picture.shape[0], width / picture.shape[1])
            inner = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            down, right = height - inner.shape[0], width - inner.shape[1]
            fitted = cv2.copyMakeBorder(inner, 0, down, 0, right, cv2.BORDER_CONSTANT)
            picture = np.asarray(fitted, np.uint8)
        if self._written % _CHECK_EVERY == 0:  # OpenCV's writer says nothing when a disk is full
            self._check_space()
        self._writer.write(picture)
        self._written += 1

    def _open(self) -> cv2.VideoWriter:
        fourcc = cv2.VideoWriter.fourcc(*_CODECS[self._path.suffix.lower()])
        size_wh = (self._size_hw[1], self._size_hw[0])
        writer = cv2.VideoWriter(str(self._path), cv2.CAP_FFMPEG, fourcc, self._rate_hz, size_wh)
        if not writer.isOpened():
            raise SinkError(
                f"{self._path}",
                expected="a video file that can be written",
                arrived="one that OpenCV could not open",
                remedy="Check that the folder exists and may be written to",
            )
        return writer

    def _check_space(self) -> None:
        try:
            free = shutil.disk_usage(self._path.resolve().parent).free
        except OSError as error:
            raise cannot_write(self._path, error) from None
        if free < _MIN_FREE_BYTES:
            raise SinkError(
                f"{self._path}",
                expected=f"{_MIN_FREE_BYTES // 2**20} MB of free space",
                arrived=f"{free // 2**20} MB",
                remedy="Free space or choose another place; the file is whole up to here",
            )

    def close(self) -> None:
        """Finishes the file."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
