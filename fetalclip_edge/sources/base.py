"""The one interface of every source, and what a source says about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from fetalclip_edge.frame import Pixels
from fetalclip_edge.geometry import SpacingRC


@dataclass(frozen=True, slots=True)
class RawFrame:
    """An image as a source hands it over, before region, scale and epoch are known.

    Attributes:
        pixels: uint8, (H, W) gray or (H, W, 3) BGR.
        timestamp_ns: capture time; `time.monotonic_ns` for live sources, presentation time
            from the start for files.
        spacing_mm_rc: mm per pixel (row, column), only where the source itself knows it.
        path: the file it was read from, for image sources.
    """

    pixels: Pixels
    timestamp_ns: int
    spacing_mm_rc: SpacingRC | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source turned out to be once it was open.

    Attributes:
        kind: "v4l2", "video", "images", "mjpeg", "rtsp" or "demo".
        name: path or address, without credentials.
        live: frames come at their own pace and can be missed.
        size_hw: rows and columns of the first frame, if known before it arrives.
        rate_hz: frames per second as read back, if known.
        fourcc: pixel format as read back, if there is one.
        frame_count: number of frames, if the source has an end that is known.
    """

    kind: str
    name: str
    live: bool
    size_hw: tuple[int, int] | None = None
    rate_hz: float | None = None
    fourcc: str | None = None
    frame_count: int | None = None


class Source(ABC):
    """A place frames come from. Opened by `with`, or by `open` and `close`; may be reopened.

    `read` is called by one thread; `close` may be called by another to end a blocked read.
    """

    @abstractmethod
    def open(self) -> SourceInfo:
        """Opens the source and says what it is.

        Raises:
            SourceError: it cannot be opened.
        """

    @abstractmethod
    def read(self) -> RawFrame | None:
        """Returns the next frame, or None at the end.

        Raises:
            SourceStalledError: no frame within the source's own time limit.
            SourceError: the source was lost.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases the source; may be called more than once."""

    def __enter__(self) -> Source:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class SourceFactory(Protocol):
    """Makes a source anew, for reopening."""

    def __call__(self) -> Source:
        """Returns a source that is not open yet."""
        ...  # pragma: no cover
