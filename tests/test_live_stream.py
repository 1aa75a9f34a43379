"""A live stream through the whole loop: what stalls, dies, freezes and comes back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from fetalclip_edge.errors import SourceError, UsageError
from fetalclip_edge.latency import LatencyRecorder
from fetalclip_edge.live_feed import LiveFeed
from fetalclip_edge.model import Model
from fetalclip_edge.opening_feed import open_feed
from fetalclip_edge.signal import SignalState
from fetalclip_edge.sinks.base import Report, Sink
from fetalclip_edge.sources.base import RawFrame, Source, SourceInfo
from fetalclip_edge.sources.opening import open_source_factory
from fetalclip_edge.streaming import StreamRun
from fetalclip_edge.tracker import GeometryTracker
from tests.sources.mjpeg_server import Visit, serve

SMALL_HW, LARGE_HW = (540, 800), (720, 1068)


class _Memory(Sink):
    def __init__(self) -> None:
        self.reports: list[Report] = []

    def write(self, report: Report) -> None:
        self.reports.append(report)

    def close(self) -> None:
        return


def test_a_stream_that_stalls_dies_and_returns_larger_is_never_measured_blindly() -> None:
    memory = _Memory()
    visits = (Visit(SMALL_HW, frames=15, stall_s=1.5), Visit(LARGE_HW, frames=500))
    with serve(*visits) as address, Model() as model:
        tracker = GeometryTracker("none", (0.15, 0.15))
        run = StreamRun(model.session(), tracker, [memory], LatencyRecorder())
        feed = LiveFeed(
            open_source_factory(address), stale_after_s=0.2, lost_after_s=0.6, backoff_s=(0.1,)
        )
        deadline = time.monotonic() + 30
        with feed:
            ticks = feed.ticks(0.05)
            while time.monotonic() < deadline:
                run.run([next(ticks)])
                seen = {r.frame.size_hw for r in memory.reports if r.frame is not None}
                if seen == {SMALL_HW, LARGE_HW}:
                    break
    states = [report.state for report in memory.reports]
    states = states[states.index(SignalState.LIVE) :]  # the first frame may be waited for
    assert SignalState.STALE in states
    assert SignalState.NO_SIGNAL in states
    assert states.index(SignalState.STALE) < states.index(SignalState.NO_SIGNAL)
    for report in memory.reports:
        # nothing is inferred on a frame that did not arrive
        assert (report.frame is None) == (report.result is None)
    by_size = {
        size: [r.result for r in memory.reports if r.frame is not None and r.frame.size_hw == size]
        for size in (SMALL_HW, LARGE_HW)
    }
    small, large = by_size[SMALL_HW], by_size[LARGE_HW]
    assert any(m.value_mm is not None for r in small if r for m in r.measurements)
    # the user's scale was given for the other size
    assert all(m.value_mm is None for r in large if r for m in r.measurements)
    assert {r.geometry_epoch for r in small if r} == {0}
    assert {r.geometry_epoch for r in large if r} == {1}


def test_a_picture_that_does_not_change_is_frozen() -> None:
    with serve(Visit(SMALL_HW, frames=100, still=True)) as address:
        feed = LiveFeed(open_source_factory(address), freeze_after_s=0.3)
        with feed:
            assert _wait_for(feed, SignalState.FROZEN)


def test_a_server_that_goes_away_and_comes_back_is_found_again() -> None:
    with serve(Visit(SMALL_HW, frames=1000)) as address:
        port = int(address.rsplit(":", 1)[1].strip("/"))
        feed = LiveFeed(open_source_factory(address), lost_after_s=0.6, backoff_s=(0.1,))
        feed.__enter__()
        assert _wait_for(feed, SignalState.LIVE)
    try:
        assert _wait_for(feed, SignalState.NO_SIGNAL)
        with serve(Visit(SMALL_HW, frames=1000), port=port):
            assert _wait_for(feed, SignalState.LIVE)
    finally:
        feed.close()


def test_a_slow_loop_gets_the_newest_frame_and_the_rest_is_counted() -> None:
    with (
        serve(Visit(SMALL_HW, frames=500)) as address,
        LiveFeed(open_source_factory(address)) as feed,
    ):
        assert _wait_for(feed, SignalState.LIVE)
        time.sleep(0.5)
        tick = feed.next(1.0)
        assert tick is not None
        assert tick.age_ms is not None
        assert tick.age_ms < 400
        assert feed.dropped >= 3


class _Hanging(Source):
    """Opens, gives one frame, and then never returns, whatever is asked of it."""

    def __init__(self, release: threading.Event) -> None:
        self._release = release

    def open(self) -> SourceInfo:
        return SourceInfo(kind="v4l2", name="hanging", live=True)

    def read(self) -> RawFrame | None:
        self._release.wait()
        return None

    def close(self) -> None:
        self._release.wait()


def test_closing_does_not_wait_for_a_driver_that_hangs() -> None:
    release = threading.Event()
    feed = LiveFeed(lambda: _Hanging(release))
    with feed:
        began = time.monotonic()
    try:
        assert time.monotonic() - began < 5
    finally:
        release.set()


@pytest.mark.parametrize("device", ["/dev/video87", "http://127.0.0.1:9/", "rtsp://127.0.0.1:9/x"])
def test_a_missing_device_is_an_error_at_once(device: str) -> None:
    with pytest.raises(SourceError), open_feed(device):
        pass


def test_options_that_do_not_go_with_a_source_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="latest"):
        open_feed("demo", drop="latest")
    with pytest.raises(UsageError, match="latest"):
        open_feed("0", drop="oldest")
    with pytest.raises(UsageError, match="--pace"):
        open_feed("0", pace=True)


def test_two_streams_share_a_model_and_keep_their_own_epochs() -> None:
    with Model() as model:
        trackers = [GeometryTracker("none", (0.1, 0.1)), GeometryTracker("none")]
        memories = [_Memory(), _Memory()]
        runs = [
            StreamRun(model.session(), tracker, [memory], LatencyRecorder())
            for tracker, memory in zip(trackers, memories, strict=True)
        ]

        def play(run: StreamRun) -> None:
            with open_feed("demo") as feed:
                ticks = feed.ticks()
                run.run(next(ticks) for _ in range(20))

        threads = [threading.Thread(target=play, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    values = [[r.result.classifications for r in m.reports if r.result] for m in memories]
    assert len(values[0]) == 20
    assert values[0] == values[1]


def _wait_for(feed: LiveFeed, state: SignalState) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        tick = feed.next(0.1)
        assert tick is not None
        if tick.state is state:
            return True
    return False
