"""The loop: ticks in, results to every sink, a summary at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

from fetalclip_edge.ahead import one_ahead
from fetalclip_edge.interrupt import interrupt_after
from fetalclip_edge.latency import LatencyRecorder
from fetalclip_edge.result import StageLatency
from fetalclip_edge.session import Prepared, Session
from fetalclip_edge.signal import Tick
from fetalclip_edge.sinks.base import Report, Sink
from fetalclip_edge.sinks.summary import StageRecord, Summary, versions
from fetalclip_edge.tracker import GeometryTracker


@dataclass(frozen=True, slots=True)
class _Turn:
    """A tick, and what was made of its frame: nothing where it brought none."""

    tick: Tick
    prepared: Prepared | None
    region_ms: float


class StreamRun:
    """One run over one stream.

    Args:
        session: the stream's own session.
        tracker: gives frames their region, scale and epoch.
        sinks: where reports go; opened and closed by the caller.
        latency: takes the stages of every frame.
    """

    def __init__(
        self,
        session: Session,
        tracker: GeometryTracker,
        sinks: Sequence[Sink],
        latency: LatencyRecorder,
    ) -> None:
        self._session = session
        self._tracker = tracker
        self._sinks = tuple(sinks)
        self._latency = latency
        self._states: Counter[str] = Counter()
        self._frames = 0
        self._source = ""
        self._began = self._ended = time.perf_counter()

    def run(self, ticks: Iterable[Tick], *, ahead: bool = False) -> None:
        """Runs until the ticks end; nothing is inferred where no frame arrived.

        Args:
            ticks: of one feed.
            ahead: read and prepare the next frame in a thread of its own, for a feed that waits
                for its reader and that nobody closes meanwhile.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; the frame in work was finished first.
        """
        self._began = time.perf_counter()
        made = (self._prepare(tick) for tick in ticks)
        try:
            with closing(one_ahead(made) if ahead else made) as turns:
                for turn in turns:
                    with interrupt_after():
                        self._turn(turn)
        finally:
            self._ended = time.perf_counter()

    def _prepare(self, tick: Tick) -> _Turn:
        if tick.raw is None:
            return _Turn(tick, None, 0.0)
        began = time.perf_counter()
        frame = self._tracker.frame(tick)
        region_ms = (time.perf_counter() - began) * 1e3
        return _Turn(tick, self._session.prepare(frame), region_ms)

    def _turn(self, turn: _Turn) -> None:
        tick, prepared = turn.tick, turn.prepared
        self._states[tick.state.value] += 1
        self._source = tick.info.name
        if tick.raw is None or prepared is None:
            self._tell(Report(state=tick.state, age_ms=tick.age_ms, message=tick.message))
            return
        result = self._session.finish(prepared)
        stages = [StageLatency("region", turn.region_ms), *result.latency]
        self._latency.add(stages)
        self._frames += 1
        self._tell(
            Report(
                state=tick.state,
                frame=prepared.frame,
                result=result,
                age_ms=tick.age_ms,
                latency=tuple(stages),
                rate_hz=self._frames / (time.perf_counter() - self._began),
                p99_ms=self._latency.p99_ms,
                deadline_misses=self._latency.deadline_misses,
                path=tick.raw.path,
            )
        )

    def _tell(self, report: Report) -> None:
        for sink in self._sinks:
            sink.write(report)

    def summary(self, bundle: str, bundle_digest: str) -> Summary:
        """Returns the summary of the run so far.

        Args:
            bundle: name and version of the bundle.
            bundle_digest: its digest.
        """
        seconds = self._ended - self._began
        return Summary(
            source=self._source,
            bundle=bundle,
            bundle_digest=bundle_digest,
            frames=self._frames,
            fps=self._frames / seconds if seconds > 0 else 0.0,
            latency_ms={
                s.stage: StageRecord(p50=s.p50_ms, p95=s.p95_ms, p99=s.p99_ms, max=s.max_ms)
                for s in self._latency.summary()
            },
            deadline_misses=self._latency.deadline_misses,
            states=dict(self._states),
            versions=versions(),
        )
