"""A reader of ``multipart/x-mixed-replace``, with a bound on everything a server may send."""

from __future__ import annotations

import time
from collections.abc import Callable

from fetalclip_edge.errors import SourceError

MAX_PART_BYTES = 32 * 2**20
MAX_LINE_BYTES = 8192
MAX_HEADER_LINES = 32

Receive = Callable[[], bytes]
"""Returns bytes that arrived, b"" at the end; raises where it waited too long."""


class MultipartReader:
    """Takes the parts out of a stream, one after the other.

    Args:
        boundary: from the Content-Type header; leading dashes are not looked at, since cameras
            differ on whether they belong to it.
        receive: gives more of the stream.
        name: what errors call the stream.
    """

    def __init__(self, boundary: str, receive: Receive, name: str) -> None:
        self._delimiter = b"--" + boundary.strip('"').lstrip("-").encode("latin-1", "replace")
        self._receive = receive
        self._name = name
        self._buffer = bytearray()
        self._in_part = False

    def next_part(self) -> tuple[bytes, int]:
        """Returns the body of the next part, and when it began to arrive (`monotonic_ns`).

        A part with a Content-Length is returned as soon as it is whole; another one only when
        the boundary after it has arrived.

        Raises:
            SourceError: the stream ended, or is larger or other than it may be.
        """
        if not self._in_part:
            self._until_delimiter()
        self._in_part = False
        length = self._headers()
        arrival_ns = time.monotonic_ns()
        if length is not None:
            return self._take(length), arrival_ns
        body = self._until_delimiter()
        self._in_part = True
        return body.rstrip(b"-\r\n"), arrival_ns  # a JPEG ends in FF D9, never in these

    def _headers(self) -> int | None:
        """Returns the Content-Length of the part, or None."""
        length: int | None = None
        for _ in range(MAX_HEADER_LINES):
            line = self._line().strip()
            if not line:
                return length
            key, _, value = line.partition(b":")
            if key.strip().lower() == b"content-length":
                digits = value.strip()
                if not digits.isdigit() or len(digits) > 9 or not 0 < int(digits) <= MAX_PART_BYTES:
                    raise self._error(f"Content-Length of 1 to {MAX_PART_BYTES}", "another one")
                length = int(digits)
        raise self._error(f"at most {MAX_HEADER_LINES} header lines a part", "more")

    def _until_delimiter(self) -> bytes:
        """Returns everything before the next boundary and moves past the boundary's line."""
        start = 0
        while (found := self._buffer.find(self._delimiter, start)) < 0:
            if len(self._buffer) > MAX_PART_BYTES:
                raise self._error(f"a boundary within {MAX_PART_BYTES} bytes", "none")
            start = max(0, len(self._buffer) - len(self._delimiter) + 1)
            self._fill()
        before = bytes(self._buffer[:found])
        del self._buffer[: found + len(self._delimiter)]
        if self._line().strip() == b"--":
            raise self._error("a stream that goes on", "its last boundary")
        return before

    def _line(self) -> bytes:
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            if len(self._buffer) > MAX_LINE_BYTES:
                break
            start = len(self._buffer)
            self._fill()
        if end < 0 or end > MAX_LINE_BYTES:
            raise self._error(f"lines of at most {MAX_LINE_BYTES} bytes", "a longer one")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _fill(self) -> None:
        data = self._receive()
        if not data:
            raise self._error("a stream that goes on", "its end")
        self._buffer += data

    def _error(self, expected: str, arrived: str) -> SourceError:
        return SourceError(self._name, expected=expected, arrived=arrived)
