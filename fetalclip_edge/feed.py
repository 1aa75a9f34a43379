"""Every frame of a source in order, as ticks of the loop."""

from __future__ import annotations

from collections.abc import Iterator

from fetalclip_edge.signal import SignalState, Tick
from fetalclip_edge.sources.base import Source


def file_ticks(source: Source) -> Iterator[Tick]:
    """Opens a source that waits for its reader, yields a tick for each frame, and closes it.

    Raises:
        SourceError: it cannot be opened.
        ImageError: an image of an image source cannot be used.
    """
    info = source.open()
    try:
        index = 0
        while (raw := source.read()) is not None:
            yield Tick(SignalState.LIVE, raw, index, connection=0, age_ms=None, info=info)
            index += 1
    finally:
        source.close()
