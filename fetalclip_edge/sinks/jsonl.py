"""JSON Lines: one whole line a frame, so that a kill leaves every line readable."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fetalclip_edge.errors import SinkError
from fetalclip_edge.sinks.base import Report, Sink, cannot_write
from fetalclip_edge.sinks.record import record


class JsonlSink(Sink):
    """Writes `record` lines to a file, or to stdout for ``-``.

    Each line is one write to the operating system. A line that did not fit is taken back.

    Raises:
        SinkError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._to_stdout = str(path) == "-"
        try:
            # Windows would write two bytes for each line's end, and they are counted here
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
            self._fd = sys.stdout.fileno() if self._to_stdout else os.open(path, flags, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from None
        self._good_bytes = 0
        self._closed = False

    def write(self, report: Report) -> None:
        """Writes one line."""
        data = (record(report).line() + "\n").encode()
        try:
            written = 0
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            self._take_back()
            raise self._failed(error) from None
        self._good_bytes += len(data)

    def _take_back(self) -> None:
        if self._to_stdout:
            return
        try:
            os.ftruncate(self._fd, self._good_bytes)
        except OSError:
            return  # a device, not a file: there is nothing to take back

    def close(self) -> None:
        """Closes the file."""
        if not self._closed and not self._to_stdout:
            os.close(self._fd)
        self._closed = True

    def _failed(self, error: OSError) -> SinkError:
        return SinkError(
            f"{self._path}",
            expected="room for one more line",
            arrived=error.strerror or "an error",
            remedy="Free space or choose another place; the lines before this one are whole",
        )
