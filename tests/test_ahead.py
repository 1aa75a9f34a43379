"""One item ahead: order, errors at their place, and a thread that ends with its reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import pytest

from fetalclip_edge.ahead import one_ahead
from fetalclip_edge.bundle.manifest import Precision
from fetalclip_edge.latency import LatencyRecorder
from fetalclip_edge.model import Model
from fetalclip_edge.opening_feed import open_feed
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.processor import core_to_spare
from fetalclip_edge.sinks.base import Report, Sink
from fetalclip_edge.streaming import StreamRun
from fetalclip_edge.tracker import GeometryTracker

NAME = "fetalclip-ahead"


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == NAME]


def test_every_item_in_order() -> None:
    assert list(one_ahead(range(200))) == list(range(200))
    assert not _threads()


def test_the_next_is_made_while_one_is_used_and_no_more() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    with closing(one_ahead(items())) as ahead:
        assert next(ahead) == 0
        deadline = time.monotonic() + 10
        while made != [0, 1, 2] and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert made == [0, 1, 2]  # one lies ready, one waits to be laid there


def test_an_error_comes_after_what_was_made_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the source was lost")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="lost"):
        next(ahead)
    assert not _threads()


def test_who_stops_early_leaves_no_thread() -> None:
    endless = iter(int, 1)
    with closing(one_ahead(endless)) as ahead:
        assert [next(ahead) for _ in range(3)] == [0, 0, 0]
    assert not _threads()


class _Memory(Sink):
    def __init__(self) -> None:
        self.kept: list[Report] = []

    def write(self, report: Report) -> None:
        self.kept.append(report)

    def close(self) -> None:
        pass


def test_a_stream_says_the_same_with_its_frames_prepared_ahead(tmp_path: Path) -> None:
    for number in range(8):
        size_hw = (540, 800) if number < 5 else (480, 640)  # a new epoch, and no scale from there
        cv2.imwrite(str(tmp_path / f"{number}.png"), Phantom(7, size_hw).draw(number / 5).pixels)
    said = []
    with Model() as model:
        for ahead in (False, True):
            memory, tracker = _Memory(), GeometryTracker("auto", (0.3, 0.3))
            with open_feed(str(tmp_path)) as feed:
                run = StreamRun(model.session(), tracker, [memory], LatencyRecorder())
                run.run(feed.ticks(), ahead=ahead)
            results = [report.result for report in memory.kept if report.result is not None]
            said.append(
                [(r.frame_index, r.geometry_epoch, r.plane, r.measurements) for r in results]
            )
    assert said[0] == said[1]
    assert [(index, epoch) for index, epoch, *_ in said[0]] == [
        (index, int(index >= 5)) for index in range(8)
    ]


@pytest.mark.parametrize(
    ("precision", "cores", "spare"),
    [
        (Precision.INT8, 1, False),
        (Precision.INT8, 2, True),
        (Precision.FP32, 2, False),
        (Precision.FP32, 4, True),
    ],
)
def test_a_core_is_left_where_it_pays(precision: Precision, cores: int, spare: bool) -> None:
    assert core_to_spare(precision, cores) is spare
