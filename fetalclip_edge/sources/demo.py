"""A source that needs no hardware: the phantom of a fetal head, with a known circumference."""

from __future__ import annotations

import time

from fetalclip_edge.errors import SourceError, UsageError
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.sources.base import RawFrame, Source, SourceInfo

DEFAULT_FRAMES = 300


class DemoSource(Source):
    """Plays the phantom, as a file of a known length or at its own pace.

    Args:
        seed: chooses the head.
        frames: number of frames; None is 300 for a file and no end for a live source.
        rate_hz: frames per second of the phantom's movement, > 0.
        live: frames come in real time and those that nobody fetched in time are lost.

    Raises:
        UsageError: a rate or a number of frames that makes no sense.
    """

    def __init__(
        self, seed: int = 1, frames: int | None = None, rate_hz: float = 30, live: bool = False
    ) -> None:
        if rate_hz <= 0 or (frames is not None and frames < 1):
            raise UsageError(
                "demo source",
                expected="rate > 0 and 1 frame or more",
                arrived=f"{rate_hz}, {frames}",
            )
        self._seed = seed
        self._frames = DEFAULT_FRAMES if frames is None and not live else frames
        self._rate_hz = rate_hz
        self._live = live
        self._phantom: Phantom | None = None
        self._next = 0
        self._start_ns = 0

    def open(self) -> SourceInfo:
        """Draws what does not move, and starts at the first frame."""
        self._phantom = Phantom(self._seed)
        self._next = 0
        self._start_ns = time.monotonic_ns()
        return SourceInfo(
            kind="demo",
            name=f"demo:{self._seed}",
            live=self._live,
            size_hw=(540, 800),
            rate_hz=self._rate_hz,
            frame_count=self._frames,
        )

    def read(self) -> RawFrame | None:
        """Returns the next frame, with its spacing; None after the last one.

        Raises:
            SourceError: the source is not open.
        """
        phantom = self._opened()
        index = self._wait() if self._live else self._next
        if self._frames is not None and index >= self._frames:
            return None
        self._next = index + 1
        drawn = phantom.draw(index / self._rate_hz)
        time_ns = self._time_ns(index) + (self._start_ns if self._live else 0)
        return RawFrame(drawn.pixels, time_ns, (drawn.spacing_mm, drawn.spacing_mm))

    def close(self) -> None:
        """Forgets the phantom."""
        self._phantom = None

    def truth(self, index: int) -> float:
        """Returns the true head circumference of a frame, in mm.

        Args:
            index: position of the frame, from 0. The head moves but does not grow, so that the
                answer is the same for all of them at present.

        Raises:
            UsageError: there is no such frame.
        """
        if index < 0 or (self._frames is not None and index >= self._frames):
            raise UsageError("demo frame", expected=f"0 to {self._frames}", arrived=str(index))
        phantom = self._phantom if self._phantom is not None else Phantom(self._seed)
        return phantom.true_hc_mm

    def _opened(self) -> Phantom:
        if self._phantom is None:
            raise SourceError("demo source", expected="an open source", arrived="a closed one")
        return self._phantom

    def _time_ns(self, index: int) -> int:
        return round(index * 1e9 / self._rate_hz)

    def _wait(self) -> int:
        """Sleeps until a frame is due; returns its index, past those that were missed."""
        elapsed_ns = time.monotonic_ns() - self._start_ns
        index = max(self._next, int(elapsed_ns * self._rate_hz / 1e9))
        time.sleep(max(0, self._time_ns(index) - elapsed_ns) / 1e9)
        return index
