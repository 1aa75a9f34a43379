"""The newest frame of a live source, its age, and what may be said of the signal.

Three threads: a reader that may hang (`reader_thread`), a watchdog that gives up on it and opens
the source again, and the loop's own, which only ever waits on a mailbox of one frame.
"""

from __future__ import annotations

import random
import threading
import time
import zlib
from dataclasses import dataclass

from fetalclip_edge.errors import EdgeError, SourceError, UsageError
from fetalclip_edge.feed import SLICE_S, Feed
from fetalclip_edge.frame import Pixels
from fetalclip_edge.reader_thread import ReaderThread
from fetalclip_edge.signal import SignalState, Tick
from fetalclip_edge.sources.base import RawFrame, SourceFactory, SourceInfo

BACKOFF_S = (0.25, 0.5, 1.0, 2.0, 4.0, 5.0)
OPEN_TIMEOUT_S = 10.0  # to connect, and then again to the first frame
CLOSE_WAIT_S = 1.0
MAX_ABANDONED = 3
HASH_ROW_STEP = 4


@dataclass(frozen=True, slots=True)
class _Letter:
    """What lies in the mailbox."""

    raw: RawFrame
    index: int
    connection: int
    frozen: bool
    info: SourceInfo


class LiveFeed(Feed):
    """The newest frame of a source that does not wait; older ones are dropped and counted.

    The first opening has to succeed. After that a lost source gives ticks of NO SIGNAL while it
    is opened again and again, with growing pauses; each success counts up `Tick.connection`.

    Args:
        factory: makes the source, anew for each opening.
        stale_after_s: age of the newest frame from which on the signal is STALE.
        lost_after_s: time without a frame after which the source is given up and reopened.
        freeze_after_s: time of frames without any change after which the signal is FROZEN.
        backoff_s: pauses between openings, in order; the last one repeats.

    Raises:
        UsageError: times that are not in order.
    """

    def __init__(
        self,
        factory: SourceFactory,
        *,
        stale_after_s: float = 0.5,
        lost_after_s: float = 2.0,
        freeze_after_s: float = 1.0,
        backoff_s: tuple[float, ...] = BACKOFF_S,
    ) -> None:
        if not 0 < stale_after_s <= lost_after_s or freeze_after_s <= 0 or not backoff_s:
            raise UsageError(
                "live feed",
                expected="0 < stale <= lost, freeze > 0 and a pause or more",
                arrived=f"{stale_after_s}, {lost_after_s}, {freeze_after_s}, {backoff_s}",
            )
        self._factory = factory
        self._stale_after_s = stale_after_s
        self._lost_after_s = lost_after_s
        self._freeze_after_s = freeze_after_s
        self._backoff_s = backoff_s
        self._closing = threading.Event()
        self._watchdog: threading.Thread | None = None
        self._abandoned: list[ReaderThread] = []
        # all below is shared between the threads and guarded by the condition
        self._changed = threading.Condition()
        self._reader: ReaderThread | None = None
        self._slot: _Letter | None = None
        self._info: SourceInfo | None = None
        self._connection = -1
        self._index = -1
        self._dropped = 0
        self._signs_ns = 0  # last sign of life: opening or arrival
        self._last: _Letter | None = None  # of this connection
        self._hash: int | None = None
        self._unchanged_ns = 0
        self._message: str | None = None
        self._ended = False
        self._first_error: Exception | None = None
        self._reported: SignalState | None = None

    @property
    def dropped(self) -> int:
        """Frames that arrived and were never handed out."""
        with self._changed:
            return self._dropped

    def __enter__(self) -> LiveFeed:
        if self._watchdog is not None:
            raise UsageError("live feed", expected="a new one", arrived="one that was opened once")
        self._watchdog = threading.Thread(target=self._watch, name="fetalclip-watch", daemon=True)
        self._watchdog.start()
        try:
            with self._changed:
                while self._info is None and self._first_error is None:
                    self._changed.wait(SLICE_S)
                error, info = self._first_error, self._info
            if isinstance(error, EdgeError):
                raise error
            if error is not None:
                # the text of a foreign error may repeat an address with its password
                what = type(error).__name__
                raise SourceError("live source", expected="one that opens", arrived=what) from error
            if info is not None and not info.live:
                raise UsageError(
                    info.name, expected="a live source", arrived="one that waits for its reader"
                )
        except BaseException:
            self.close()
            raise
        return self

    def next(self, timeout_s: float) -> Tick | None:
        """Returns a tick with the newest frame, or one without where the signal is not there.

        Returns early when the state of the signal changes. Never blocks on the source.

        Args:
            timeout_s: longest wait for a frame; 0 or more.

        Raises:
            UsageError: the feed was not opened.
        """
        if self._watchdog is None:
            raise UsageError("live feed", expected="an open one", arrived="one not opened yet")
        give_up = time.monotonic() + timeout_s
        with self._changed:
            while True:
                if self._closing.is_set():
                    return None
                tick = self._tick()
                left = give_up - time.monotonic()
                if tick.raw is None and self._slot is None and self._ended:
                    return None
                if tick.raw is not None or tick.state is not self._reported or left <= 0:
                    self._reported = tick.state
                    return tick
                self._changed.wait(min(left, SLICE_S))

    def close(self) -> None:
        """Ends the threads, or leaves one behind that hangs in its driver; within 3 s."""
        self._closing.set()
        with self._changed:
            reader, watchdog = self._reader, self._watchdog
            self._changed.notify_all()
        if reader is not None:
            reader.stop()
            reader.done.wait(CLOSE_WAIT_S)
        if watchdog is not None and watchdog is not threading.current_thread():
            watchdog.join(CLOSE_WAIT_S)

    def opened(self, reader: ReaderThread, info: SourceInfo) -> None:
        """Begins a connection; called on the reader's thread."""
        with self._changed:
            if reader is not self._reader:
                return
            self._connection += 1
            self._info, self._message = info, None
            self._last, self._hash = None, None
            self._signs_ns = time.monotonic_ns()
            self._changed.notify_all()

    def delivered(self, reader: ReaderThread, raw: RawFrame) -> None:
        """Puts a frame into the mailbox, over one that nobody took; on the reader's thread."""
        content = content_hash(raw.pixels)
        now_ns = time.monotonic_ns()
        with self._changed:
            if reader is not self._reader or self._info is None:
                return  # a reader that was given up came back
            if content != self._hash:
                self._hash, self._unchanged_ns = content, now_ns
            frozen = now_ns - self._unchanged_ns >= self._freeze_after_s * 1e9
            self._index += 1
            if self._slot is not None:
                self._dropped += 1
            letter = _Letter(raw, self._index, self._connection, frozen, self._info)
            self._slot = self._last = letter
            self._signs_ns = now_ns
            self._changed.notify_all()

    def _tick(self) -> Tick:
        """Returns the tick of this moment, and takes the frame out of the mailbox."""
        now_ns = time.monotonic_ns()
        letter, self._slot = self._slot, None
        if letter is not None:
            letter_ns = max(0, now_ns - letter.raw.timestamp_ns)
            if letter_ns <= self._stale_after_s * 1e9:
                state = SignalState.FROZEN if letter.frozen else SignalState.LIVE
                age_ms = letter_ns / 1e6
                return Tick(state, letter.raw, letter.index, letter.connection, age_ms, letter.info)
            self._dropped += 1  # too old to infer on
        last = self._last
        age_ns = None if last is None else max(0, now_ns - last.raw.timestamp_ns)
        message = self._message
        if age_ns is None or message is not None or age_ns > self._lost_after_s * 1e9:
            state = SignalState.NO_SIGNAL
            message = message or "waiting for a frame"
        elif age_ns > self._stale_after_s * 1e9:
            state = SignalState.STALE
        else:
            state = SignalState.FROZEN if last is not None and last.frozen else SignalState.LIVE
        if self._info is None:  # opened in __enter__, or next would not be called
            raise UsageError("live feed", expected="an open one", arrived="one not opened yet")
        return Tick(
            state,
            None,
            max(0, self._index),
            max(0, self._connection),
            None if age_ns is None else age_ns / 1e6,
            self._info,
            message,
        )

    def _watch(self) -> None:
        """Opens, watches and reopens until the feed is closed or the source ends."""
        failures = 0
        while not self._closing.is_set():
            reader = ReaderThread(self._factory, self)
            with self._changed:
                self._reader, before = reader, self._index
                self._signs_ns = time.monotonic_ns()
                known = self._connection
            reader.start()
            trouble = self._watch_one(reader, known)
            reader.stop()
            if self._closing.is_set() or not self._goes_on(reader, trouble):
                return
            if not reader.done.wait(SLICE_S):
                self._abandoned.append(reader)
            failures = 0 if self._index > before else failures + 1
            pause_s = self._backoff_s[min(failures, len(self._backoff_s) - 1)]
            # jitter, so that several feeds of one device do not knock at the same moment
            self._closing.wait(pause_s * random.uniform(0.8, 1.2))  # noqa: S311
            self._wait_for_abandoned()

    def _watch_one(self, reader: ReaderThread, known: int) -> Exception | None:
        """Returns what went wrong with a reader; None where it simply ended."""
        while not self._closing.is_set():
            if reader.done.wait(SLICE_S):
                return reader.error
            with self._changed:
                silent_s = (time.monotonic_ns() - self._signs_ns) / 1e9
                is_open, has_frame = self._connection > known, self._last is not None
            limit_s = self._lost_after_s if is_open and has_frame else OPEN_TIMEOUT_S
            if silent_s > limit_s:
                return SourceError(
                    "live source" if self._info is None else self._info.name,
                    expected=f"a sign of life within {limit_s:g} s",
                    arrived="none",
                    remedy="Check the cable, the signal and the network",
                )
        return None

    def _goes_on(self, reader: ReaderThread, trouble: Exception | None) -> bool:
        """Notes the end of a reader; returns whether the source is to be opened again."""
        with self._changed:
            self._reader = None  # what it still delivers is not taken
            if trouble is None and reader.ended:
                self._ended = True
            elif self._info is None:
                self._first_error = trouble or SourceError("live source was closed")
            else:
                # foreign errors by their type alone: their text may repeat a password
                text = str(trouble) if isinstance(trouble, EdgeError) else type(trouble).__name__
                self._message = text
            self._changed.notify_all()
            return not self._ended and self._first_error is None

    def _wait_for_abandoned(self) -> None:
        """Waits until few enough readers hang, so that a dead driver does not eat threads."""
        while not self._closing.is_set():
            self._abandoned = [reader for reader in self._abandoned if not reader.done.is_set()]
            if len(self._abandoned) < MAX_ABANDONED:
                return
            self._closing.wait(self._backoff_s[-1])


def content_hash(pixels: Pixels) -> int:
    """Returns a hash of every fourth row, cheap enough for each frame at 60 frames/s."""
    return zlib.crc32(pixels[::HASH_ROW_STEP].tobytes())
