"""Latency by stage: percentiles of a whole run in bounded memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fetalclip_edge.result import StageLatency

TOTAL = "total"
_GROWTH = 1.01
_LOWEST_MS = 1e-3
_WINDOW = 256


@dataclass(frozen=True, slots=True)
class StageSummary:
    """Latency of one stage over a run, in ms; percentiles are within 1 %."""

    stage: str
    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class _Histogram:
    """Counts in bins that each are 1 % wide, so that memory does not grow with the run."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.n = 0
        self.max_ms = 0.0

    def add(self, ms: float) -> None:
        """Counts one value."""
        key = int(math.log(max(ms, _LOWEST_MS) / _LOWEST_MS) / math.log(_GROWTH))
        self.counts[key] = self.counts.get(key, 0) + 1
        self.n += 1
        self.max_ms = max(self.max_ms, ms)

    def percentile(self, percent: float) -> float:
        """Returns the middle of the bin that holds the percentile; 0 when empty."""
        wanted, seen = math.ceil(self.n * percent / 100.0), 0
        for key in sorted(self.counts):
            seen += self.counts[key]
            if seen >= wanted:
                return float(min(self.max_ms, _LOWEST_MS * _GROWTH ** (key + 0.5)))
        return 0.0


class LatencyRecorder:
    """Takes the stages of each frame.

    Args:
        deadline_ms: a total beyond it counts as missed; None counts nothing.
    """

    def __init__(self, deadline_ms: float | None = None) -> None:
        self.deadline_ms = deadline_ms
        self.deadline_misses = 0
        self._stages: dict[str, _Histogram] = {}
        self._recent: deque[float] = deque(maxlen=_WINDOW)

    def add(self, latency: Sequence[StageLatency]) -> None:
        """Counts one frame."""
        total = sum(stage.ms for stage in latency)
        for stage in latency:
            self._stages.setdefault(stage.stage, _Histogram()).add(stage.ms)
        self._stages.setdefault(TOTAL, _Histogram()).add(total)
        self._recent.append(total)
        if self.deadline_ms is not None and total > self.deadline_ms:
            self.deadline_misses += 1

    @property
    def p99_ms(self) -> float:
        """99th percentile of the total over the last 256 frames; 0 before the first."""
        if not self._recent:
            return 0.0
        ordered = sorted(self._recent)
        return ordered[math.ceil(len(ordered) * 0.99) - 1]

    def summary(self) -> tuple[StageSummary, ...]:
        """Returns a summary for each stage in the order seen, the total last."""
        names = [name for name in self._stages if name != TOTAL]
        return tuple(
            StageSummary(name, h.n, h.percentile(50), h.percentile(95), h.percentile(99), h.max_ms)
            for name in (*names, TOTAL)
            if (h := self._stages.get(name)) is not None
        )
