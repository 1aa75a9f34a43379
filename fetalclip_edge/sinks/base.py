"""The one interface of every sink."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from fetalclip_edge.errors import SinkError
from fetalclip_edge.frame import Frame
from fetalclip_edge.result import Result, StageLatency
from fetalclip_edge.signal import SignalState


@dataclass(frozen=True, slots=True)
class Report:
    """What a sink is told at each turn.

    Attributes:
        state: state of the signal.
        frame: the frame that arrived, or None.
        result: what the model said of exactly this frame, or None.
        age_ms: capture to now, for live sources.
        latency: every stage of this turn so far, capture and sector included.
        rate_hz: results per second over the last seconds.
        p99_ms: 99th percentile of the capture-to-result time over the last seconds.
        deadline_misses: results later than the deadline, so far.
        path: the file the frame came from, for image sources.
        message: why there is no signal, if there is none.
    """

    state: SignalState
    frame: Frame | None = None
    result: Result | None = None
    age_ms: float | None = None
    latency: tuple[StageLatency, ...] = ()
    rate_hz: float = 0.0
    p99_ms: float = 0.0
    deadline_misses: int = 0
    path: str | None = None
    message: str | None = None


class Sink(ABC):
    """A place results go to, used with `with`. A failed write raises `SinkError`."""

    @abstractmethod
    def write(self, report: Report) -> None:
        """Takes one report.

        Raises:
            SinkError: it cannot be written; what was written before stays readable.
        """

    @abstractmethod
    def close(self) -> None:
        """Finishes the output; may be called more than once."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def cannot_write(path: Path, error: OSError) -> SinkError:
    """Returns the error of an output that cannot be opened or replaced."""
    return SinkError(
        f"{path}",
        expected="a file that can be written",
        arrived=error.strerror or "an error",
        remedy="Check that the folder exists and may be written to",
    )
