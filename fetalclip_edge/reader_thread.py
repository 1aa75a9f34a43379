"""The thread that reads a live source, and that may be left behind when the source hangs."""

from __future__ import annotations

import contextlib
import threading
from typing import Protocol

from fetalclip_edge.sources.base import RawFrame, Source, SourceFactory, SourceInfo


class Listener(Protocol):
    """Who is told what a reader finds, on the reader's thread."""

    def opened(self, reader: ReaderThread, info: SourceInfo) -> None:
        """The source is open."""

    def delivered(self, reader: ReaderThread, raw: RawFrame) -> None:
        """A frame arrived."""


class ReaderThread:
    """Opens one source and reads it to its end, to its loss, or until it is stopped.

    A driver may hang in `open` or `read` for good. The thread is a daemon and holds nothing that
    anybody waits for, so that it can be abandoned; should it ever come back, it closes its source
    and ends.

    Args:
        factory: makes the source.
        listener: told of the opening and of every frame.
    """

    def __init__(self, factory: SourceFactory, listener: Listener) -> None:
        self._factory = factory
        self._listener = listener
        self._source: Source | None = None
        self._stopping = threading.Event()
        self.done = threading.Event()
        self.ended = False
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="fetalclip-reader", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end and ends a blocked read where the source can; never waits."""
        self._stopping.set()
        if not self.done.is_set():
            # closing may block as reading does, so it gets a thread to block in
            threading.Thread(target=self._close, name="fetalclip-closer", daemon=True).start()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping.is_set()

    def _close(self) -> None:
        source = self._source
        if source is not None:
            # the reader reports what is wrong with a source; its closing adds nothing
            with contextlib.suppress(Exception):
                source.close()

    def _run(self) -> None:
        try:
            self._source = source = self._factory()
            info = source.open()
            if not self.stopping:
                self._listener.opened(self, info)
            while not self.stopping:
                raw = source.read()
                if raw is None:
                    self.ended = not self.stopping
                    break
                if not self.stopping:
                    self._listener.delivered(self, raw)
        except Exception as error:
            # whatever a driver throws is the loss of the source, never the end of the program
            self.error = error
        finally:
            self._close()
            self.done.set()
