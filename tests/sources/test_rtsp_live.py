"""RTSP frames from a real server on loopback, and what happens when it stalls, dies and returns."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from fetalclip_edge.errors import SourceError
from fetalclip_edge.feed import Feed
from fetalclip_edge.frame import Pixels
from fetalclip_edge.live_feed import LiveFeed
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.signal import SignalState, Tick
from fetalclip_edge.sources.opening import open_source_factory
from fetalclip_edge.sources.rtsp import RtspSource
from tests.sources.mjpeg_server import RATE_HZ, Visit
from tests.sources.rtsp_server import serve_rtsp

SMALL_HW, LARGE_HW = (544, 800), (720, 960)  # the JPEG payload counts in blocks of 16


def _wait_for(feed: Feed, state: SignalState, timeout_s: float = 20.0) -> Tick:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        tick = feed.next(0.1)
        assert tick is not None
        if tick.state is state and (tick.raw is not None) is (state is SignalState.LIVE):
            return tick
    raise AssertionError(f"no {state.value} within {timeout_s:g} s")


def _drawn(number: int) -> Pixels:
    pixels = Phantom().draw(number / RATE_HZ).pixels
    return np.asarray(
        cv2.resize(pixels, SMALL_HW[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def test_frames_arrive_as_they_were_drawn() -> None:
    with serve_rtsp(Visit(SMALL_HW, frames=100)) as address, RtspSource(address) as source:
        frames = [source.read() for _ in range(6)]
    drawn = [_drawn(number) for number in range(3)]
    nearest = []
    for frame in frames:
        assert frame is not None
        assert frame.pixels.shape == (*SMALL_HW, 3)
        off = [float(cv2.absdiff(frame.pixels[:, :, 1], one).mean()) for one in drawn]
        assert min(off) < 1.0  # what a JPEG costs
        nearest.append(int(np.argmin(off)))
    # in order, from whichever image FFmpeg kept first
    assert nearest == [(nearest[0] + k) % 3 for k in range(6)]


def test_a_user_and_a_password_stay_out_of_names() -> None:
    with serve_rtsp(Visit(SMALL_HW, frames=100)) as address:
        with_secret = address.replace("rtsp://", "rtsp://user:secret@")
        with LiveFeed(open_source_factory(with_secret)) as feed:
            tick = _wait_for(feed, SignalState.LIVE)
    assert tick.info.kind == "rtsp"
    assert tick.info.size_hw == SMALL_HW
    assert "secret" not in repr(tick.info)


def test_a_stream_that_stalls_dies_and_returns_larger() -> None:
    visits = (Visit(SMALL_HW, frames=30, stall_s=20), Visit(LARGE_HW, frames=500))
    with serve_rtsp(*visits) as address:
        factory = open_source_factory(address)
        with LiveFeed(factory, stale_after_s=0.2, lost_after_s=0.6, backoff_s=(0.1,)) as feed:
            first = _wait_for(feed, SignalState.LIVE)
            stale = _wait_for(feed, SignalState.STALE)
            gone = _wait_for(feed, SignalState.NO_SIGNAL)
            again = _wait_for(feed, SignalState.LIVE)
    assert first.raw is not None
    assert first.raw.pixels.shape[:2] == SMALL_HW
    assert stale.raw is None
    assert gone.message is not None
    assert again.raw is not None
    assert again.raw.pixels.shape[:2] == LARGE_HW
    assert again.connection > first.connection


def test_a_server_that_goes_away_and_comes_back_is_found_again() -> None:
    with serve_rtsp(Visit(SMALL_HW, frames=1000)) as address:
        port = int(address.rsplit(":", 1)[1].split("/")[0])
        feed = LiveFeed(open_source_factory(address), lost_after_s=0.6, backoff_s=(0.1,))
        feed.__enter__()
        _wait_for(feed, SignalState.LIVE)
    try:
        _wait_for(feed, SignalState.NO_SIGNAL)
        with serve_rtsp(Visit(SMALL_HW, frames=1000), port=port):
            _wait_for(feed, SignalState.LIVE)
    finally:
        feed.close()


def test_a_server_that_never_sends_a_frame_cannot_be_opened() -> None:
    with (
        serve_rtsp(Visit(SMALL_HW, frames=0, stall_s=20)) as address,
        pytest.raises(SourceError, match="a stream within 1 s"),
        RtspSource(address, timeout_s=0.5, open_timeout_s=1.0),
    ):
        pass
