"""The state of a signal, and what a feed hands to the loop."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from fetalclip_edge.sources.base import RawFrame, SourceInfo


class SignalState(str, Enum):
    """What may be said of the picture on the screen.

    LIVE: a new frame arrived in time. STALE: the last frame is older than allowed.
    FROZEN: frames arrive, but their content has not changed (the cart's freeze key, or a
    capture card that repeats its last picture). NO_SIGNAL: the source is gone.
    """

    LIVE = "LIVE"
    STALE = "STALE"
    FROZEN = "FROZEN"
    NO_SIGNAL = "NO SIGNAL"


@dataclass(frozen=True, slots=True)
class Tick:
    """One turn of the loop.

    Attributes:
        state: state of the signal at this turn.
        raw: the frame that arrived, or None: then nothing may be inferred or measured.
        index: position of the frame in its stream, counting frames that were dropped.
        connection: counts openings of the source from 0; a change starts a new epoch.
        age_ms: time since capture, for live sources; None for files.
        info: what the source is at present.
        message: why there is no signal, for the screen and the log.
    """

    state: SignalState
    raw: RawFrame | None
    index: int
    connection: int
    age_ms: float | None
    info: SourceInfo
    message: str | None = None
