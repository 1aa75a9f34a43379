"""RTSP streams, through the FFmpeg that OpenCV carries.

A stream that changes its size without reconnecting is rescaled by OpenCV to the size it began
with, and nothing says so: a pixel spacing given for such a stream is the user's own risk. HTTP
MJPEG (`mjpeg.py`) has no such gap.
"""

from __future__ import annotations

import time

import cv2

from fetalclip_edge.errors import SourceError, SourceStalledError
from fetalclip_edge.frame import check_pixels
from fetalclip_edge.sources.address import parse_address
from fetalclip_edge.sources.base import RawFrame, Source, SourceInfo
from fetalclip_edge.sources.capture import SharedCapture

SCHEMES = ("rtsp", "rtsps")


class RtspSource(Source):
    """A network camera. The time of a frame is its arrival; what the network took is not in it.

    Args:
        url: may hold a user and a password; they are in no name and no error.
        timeout_s: longest wait for a frame.
        open_timeout_s: longest wait for the connection.

    Raises:
        SourceError: no RTSP address.
    """

    def __init__(self, url: str, timeout_s: float = 2.0, open_timeout_s: float = 5.0) -> None:
        self._address = parse_address(url, SCHEMES)
        self._timeout_s = timeout_s
        self._open_timeout_s = open_timeout_s
        self._capture: SharedCapture | None = None

    def open(self) -> SourceInfo:
        """Connects; `SourceError` when nothing answers or nothing can be decoded."""
        self.close()
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(self._open_timeout_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(self._timeout_s * 1000),
        ]
        capture = SharedCapture(cv2.VideoCapture(self._address.full, cv2.CAP_FFMPEG, limits))
        size_hw = capture.size_hw()
        # a server that answers but sends nothing opens all the same, without a size
        if not capture.opened or size_hw is None:
            capture.close()
            raise SourceError(
                self._address.name,
                expected=f"a stream within {self._open_timeout_s:g} s",
                arrived="no connection, no permission, or nothing that can be decoded",
                remedy="Check address, user and password, and that the camera is on",
            )
        self._capture = capture
        return SourceInfo(
            kind="rtsp",
            name=self._address.name,
            live=True,
            size_hw=size_hw,
            rate_hz=capture.rate_hz(),
        )

    def read(self) -> RawFrame | None:
        """Returns the next frame; never None, for the end of a live stream is a loss.

        Raises:
            SourceStalledError: no frame within the time limit.
            SourceError: the stream was lost.
        """
        capture = self._capture
        if capture is None:
            raise SourceError(self._address.name, expected="an open source", arrived="a closed one")
        started = time.monotonic()
        pixels = capture.read()
        arrival_ns = time.monotonic_ns()
        if pixels is None:
            kind = (
                SourceStalledError
                if time.monotonic() - started >= 0.9 * self._timeout_s
                else SourceError
            )
            raise kind(
                self._address.name,
                expected=f"a frame within {self._timeout_s:g} s",
                arrived="none",
                remedy="Check the network and the camera",
            )
        check_pixels(pixels)
        return RawFrame(pixels, arrival_ns)

    def close(self) -> None:
        """Ends the connection, or leaves that to the read that is under way."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.close()
