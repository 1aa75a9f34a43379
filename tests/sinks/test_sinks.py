"""Sinks: what they write can be read back, also after a full disk."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fetalclip_edge.errors import SinkError, UsageError
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.geometry import Ellipse
from fetalclip_edge.latency import LatencyRecorder
from fetalclip_edge.overlay import draw_overlay, panel_height
from fetalclip_edge.result import (
    Classification,
    Measurement,
    Result,
    StageLatency,
    Structure,
)
from fetalclip_edge.signal import SignalState
from fetalclip_edge.sinks.base import Report
from fetalclip_edge.sinks.jsonl import JsonlSink
from fetalclip_edge.sinks.masks import MaskSink
from fetalclip_edge.sinks.video import VideoSink


def make_report(
    index: int = 0, size_hw: tuple[int, int] = (120, 160), path: str | None = None
) -> Report:
    frame = Frame(
        np.zeros(size_hw, np.uint8), index=index, scale=Scale((0.1, 0.1), ScaleOrigin.USER)
    )
    mask = np.zeros(size_hw, np.uint8)
    mask[20:40, 30:60] = 255
    result = Result(
        frame_index=index,
        timestamp_ns=0,
        geometry_epoch=0,
        classifications=(
            Classification("plane", "plane", "brain", 0.9, (("brain", 0.9), ("other", 0.1))),
        ),
        structures=(Structure("head", 0.98, Ellipse((80, 60), 40, 30, 0.3), 0.01, 0.0, mask),),
        measurements=(
            Measurement("HC", "head", "outer-outer", 172.4, 172.4),
            Measurement("BPD", "head", "outer-outer", withheld_reason="cut off by the border"),
        ),
        latency=(StageLatency("inference", 2.0),),
        embedding=np.zeros(4, np.float32),
    )
    return Report(SignalState.LIVE, frame, result, latency=result.latency, path=path)


def test_lines_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with JsonlSink(path) as sink:
        for index in range(3):
            sink.write(make_report(index))
        sink.write(Report(SignalState.NO_SIGNAL, message="gone"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2, None]
    assert lines[0]["measurements"][0]["value_mm"] == 172.4
    assert lines[0]["measurements"][1]["withheld_reason"] == "cut off by the border"
    assert lines[3]["state"] == "NO SIGNAL"
    assert lines[3]["measurements"] == []
    assert "path" not in lines[0]


_FULL = """
import resource, signal, sys
from pathlib import Path
from fetalclip_edge.errors import SinkError
from fetalclip_edge.sinks.jsonl import JsonlSink
from tests.sinks.test_sinks import make_report
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sink = JsonlSink(Path(sys.argv[1]))
try:
    for index in range(100):
        sink.write(make_report(index))
except SinkError as error:
    print(error)
    sys.exit(7)
"""


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stderr
    assert "Free space" in done.stdout
    lines = path.read_text().splitlines()
    assert len(lines) >= 1
    assert [json.loads(line)["index"] for line in lines] == list(range(len(lines)))


def test_a_device_that_is_full(tmp_path: Path) -> None:
    assert resource.RLIMIT_FSIZE  # POSIX: /dev/full stands for a disk without room
    with JsonlSink(Path("/dev/full")) as sink, pytest.raises(SinkError, match="/dev/full"):
        sink.write(make_report())


def test_masks_are_named_as_the_image_and_never_overwrite(tmp_path: Path) -> None:
    with MaskSink(tmp_path) as sink:
        sink.write(make_report(path="/one/040_HC.png"))
        sink.write(make_report(path="/two/040_HC.png"))
    names = sorted(p.name for p in (tmp_path / "head").iterdir())
    assert len(names) == 2
    assert "040_HC.png" in names
    mask = cv2.imread(str(tmp_path / "head" / "040_HC.png"), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert mask.shape == (120, 160)
    assert set(np.unique(mask)) == {0, 255}


def test_video_can_be_read_back_although_the_size_changed(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    with VideoSink(path, 25.0) as sink:
        for index in range(8):
            sink.write(make_report(index))
        sink.write(make_report(8, (200, 300)))
        sink.write(Report(SignalState.NO_SIGNAL, message="gone"))
    capture = cv2.VideoCapture(str(path))
    frames = 0
    while capture.read()[0]:
        frames += 1
    capture.release()
    assert frames == 10


def test_a_video_in_no_folder_and_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="Check that the folder exists"):
        VideoSink(tmp_path / "none" / "out.mkv", 25.0)
    with pytest.raises(UsageError, match=r"expected .mkv or .mp4, got .gif"):
        VideoSink(tmp_path / "out.gif", 25.0)


@pytest.mark.parametrize("size_hw", [(216, 320), (540, 800), (1080, 1920)])
def test_an_overlay_never_covers_the_anatomy_with_words(size_hw: tuple[int, int]) -> None:
    picture = draw_overlay(make_report(size_hw=size_hw))
    assert picture.shape == (size_hw[0] + panel_height(size_hw[0]), size_hw[1], 3)
    corner = picture[size_hw[0] - 20 : size_hw[0], :20]
    assert not corner.any()
    assert picture[size_hw[0] :].max() > 200


def test_an_overlay_never_outlives_its_frame() -> None:
    picture = draw_overlay(Report(SignalState.NO_SIGNAL, message="gone"), (240, 320))
    assert not picture[:240].any()


def test_percentiles_agree_with_numpy_within_one_percent() -> None:
    values = np.random.default_rng(0).gamma(4.0, 2.0, 5000)
    recorder = LatencyRecorder(deadline_ms=16.7)
    for value in values:
        recorder.add((StageLatency("inference", float(value)),))
    stage = recorder.summary()[0]
    for got, percent in ((stage.p50_ms, 50), (stage.p95_ms, 95), (stage.p99_ms, 99)):
        want = float(np.percentile(values, percent, method="inverted_cdf"))
        assert got == pytest.approx(want, rel=0.01)
    assert recorder.deadline_misses == int((values > 16.7).sum())
