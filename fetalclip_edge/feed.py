"""Feeds: what hands the frames of a source to the loop, as ticks.

`FileFeed` gives every frame of a source that waits for its reader; `live_feed.LiveFeed` gives
the newest frame of one that does not.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import TracebackType

from fetalclip_edge.errors import ImageError, UsageError
from fetalclip_edge.signal import SignalState, Tick
from fetalclip_edge.sources.base import RawFrame, Source, SourceFactory, SourceInfo

DEFAULT_WAIT_S = 0.1
# sleeps are cut up so that Ctrl-C is heard at once on every system
SLICE_S = 0.05


class Feed(ABC):
    """A stream of ticks. Opened by `with`; `next` is called by one thread."""

    @abstractmethod
    def next(self, timeout_s: float) -> Tick | None:
        """Returns the next tick, or None at the end.

        Args:
            timeout_s: longest wait; after it comes a tick without a frame.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases the source; may be called more than once."""

    @abstractmethod
    def __enter__(self) -> Feed:
        """Opens the source; `SourceError` where that fails."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ticks(self, timeout_s: float = DEFAULT_WAIT_S) -> Iterator[Tick]:
        """Yields ticks until the end, at least one every `timeout_s`."""
        while (tick := self.next(timeout_s)) is not None:
            yield tick


class FileFeed(Feed):
    """Every frame of a source, in order, as fast as it is asked for. Nothing is dropped.

    Args:
        factory: makes the source.
        pace: hold each frame back until its presentation time, counted from the first `next`.
        on_bad_image: told of each image that cannot be used, which is then passed by but counted
            in the index; None: the error is raised.
    """

    def __init__(
        self,
        factory: SourceFactory,
        *,
        pace: bool = False,
        on_bad_image: Callable[[ImageError], None] | None = None,
    ) -> None:
        self._factory = factory
        self._pace = pace
        self._on_bad_image = on_bad_image
        self._source: Source | None = None
        self._info: SourceInfo | None = None
        self._waiting: RawFrame | None = None
        self._index = -1
        self._start_ns: int | None = None

    def __enter__(self) -> FileFeed:
        self.close()
        source = self._factory()
        self._info = source.open()
        self._source = source
        self._waiting, self._index, self._start_ns = None, -1, None
        return self

    @property
    def info(self) -> SourceInfo:
        """What the source is; `UsageError` before it was opened."""
        if self._info is None:
            raise UsageError("feed", expected="an open one", arrived="a closed one")
        return self._info

    def next(self, timeout_s: float) -> Tick | None:
        """Returns a tick with the next frame, or None at the end.

        Args:
            timeout_s: longest wait for a frame whose time has not come; 0 or more.

        Raises:
            ImageError: an image cannot be used and nobody wants to be told.
            SourceError: the source was lost.
        """
        source, info = self._source, self.info
        if source is None:
            return None
        if self._waiting is None:
            self._waiting = self._read(source)
        raw = self._waiting
        if raw is None:
            return None
        if self._pace and not self._due(raw, timeout_s):
            return Tick(SignalState.LIVE, None, max(0, self._index - 1), 0, None, info)
        self._waiting = None
        return Tick(SignalState.LIVE, raw, self._index, connection=0, age_ms=None, info=info)

    def close(self) -> None:
        """Closes the source."""
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _read(self, source: Source) -> RawFrame | None:
        while True:
            self._index += 1
            try:
                return source.read()
            except ImageError as error:
                if self._on_bad_image is None:
                    raise
                self._on_bad_image(error)

    def _due(self, raw: RawFrame, timeout_s: float) -> bool:
        """Waits for the frame's time, at most `timeout_s`; returns whether it has come."""
        if self._start_ns is None:
            self._start_ns = time.monotonic_ns() - raw.timestamp_ns
        give_up = time.monotonic() + timeout_s
        while True:
            left = (self._start_ns + raw.timestamp_ns - time.monotonic_ns()) / 1e9
            if left <= 0:
                return True
            allowed = give_up - time.monotonic()
            if allowed <= 0:
                return False
            time.sleep(min(left, allowed, SLICE_S))
