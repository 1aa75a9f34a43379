"""Epochs begin where a scale could be wrong, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from fetalclip_edge.errors import ImageError, UsageError
from fetalclip_edge.frame import Pixels, ScaleOrigin
from fetalclip_edge.geometry import Roi, SpacingRC
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.region import Sector
from fetalclip_edge.sector import SectorTracker
from fetalclip_edge.signal import SignalState, Tick
from fetalclip_edge.sources.base import RawFrame, SourceInfo
from fetalclip_edge.tracker import GeometryTracker

INFO = SourceInfo("images", "test", live=False)
USER: SpacingRC = (0.1, 0.2)
SOURCE: SpacingRC = (0.3, 0.3)
SMALL, LARGE = (100, 120), (200, 240)


def tick(
    size_hw: tuple[int, int] = SMALL,
    connection: int = 0,
    spacing: SpacingRC | None = None,
    pixels: Pixels | None = None,
) -> Tick:
    shown = np.zeros(size_hw, np.uint8) if pixels is None else pixels
    raw = RawFrame(shown, 5, spacing)
    return Tick(SignalState.LIVE, raw, 7, connection, None, INFO)


@dataclass(frozen=True)
class Step:
    tick: Tick
    epoch: int
    scale: SpacingRC | None
    give: SpacingRC | None = None  # before the frame


TABLE = {
    "nothing changes": [Step(tick(), 0, USER), Step(tick(), 0, USER)],
    "size": [Step(tick(), 0, USER), Step(tick(LARGE), 1, None), Step(tick(LARGE), 1, None)],
    "size and back": [Step(tick(), 0, USER), Step(tick(LARGE), 1, None), Step(tick(), 2, None)],
    "connection": [Step(tick(), 0, USER), Step(tick(connection=1), 1, None)],
    "given anew": [
        Step(tick(), 0, USER),
        Step(tick(LARGE), 1, None),
        Step(tick(LARGE), 2, (0.4, 0.4), give=(0.4, 0.4)),
        Step(tick(LARGE), 2, (0.4, 0.4)),
    ],
    "given anew, as before": [
        Step(tick(), 0, USER),
        Step(tick(LARGE), 1, None),
        Step(tick(LARGE), 2, USER, give=USER),
        Step(tick(), 3, None),
    ],
    "given twice": [Step(tick(), 0, USER), Step(tick(), 0, USER, give=USER)],
    "corrected": [Step(tick(), 0, USER), Step(tick(), 1, (0.5, 0.5), give=(0.5, 0.5))],
    "source knows better": [
        Step(tick(spacing=SOURCE), 0, SOURCE),
        Step(tick(spacing=SOURCE), 0, SOURCE),
        Step(tick(spacing=(0.2, 0.2)), 1, (0.2, 0.2)),
        Step(tick(), 2, None),
    ],
    "source begins to know": [Step(tick(), 0, USER), Step(tick(spacing=SOURCE), 1, SOURCE)],
}


@pytest.mark.parametrize("steps", TABLE.values(), ids=TABLE)
def test_epochs(steps: list[Step]) -> None:
    tracker = GeometryTracker("none", USER)
    for step in steps:
        if step.give is not None:
            tracker.give_spacing(step.give)
        frame = tracker.frame(step.tick)
        assert frame.geometry_epoch == tracker.epoch == step.epoch
        assert (frame.scale and frame.scale.spacing_mm_rc) == step.scale
        if frame.scale is not None:
            known = step.tick.raw is not None and step.tick.raw.spacing_mm_rc is not None
            assert frame.scale.origin is (ScaleOrigin.SOURCE if known else ScaleOrigin.USER)


class FixedSectors(SectorTracker):
    """Says what it was told to say."""

    def __init__(self, *said: Sector | None) -> None:
        super().__init__()
        self._said = list(said)

    def update(self, pixels: Pixels) -> Sector | None:
        return self._said.pop(0)


def test_sector_is_part_of_the_geometry() -> None:
    one = Sector.from_polygon(((10, 10), (60, 10), (90, 80), (5, 80)))
    two = Sector.from_polygon(((10, 10), (60, 10), (90, 90)))
    tracker = GeometryTracker("auto", USER, FixedSectors(one, one, two, None))
    frames = [tracker.frame(tick()) for _ in range(4)]
    assert [frame.geometry_epoch for frame in frames] == [0, 0, 1, 2]
    assert [frame.sector for frame in frames] == [one, one, two, None]
    assert [frame.roi for frame in frames] == [one.roi, one.roi, two.roi, None]
    assert [frame.scale is None for frame in frames] == [False, False, True, True]
    assert tracker.withheld


def test_moving_head_is_one_epoch() -> None:
    phantom, tracker = Phantom(3), GeometryTracker("auto", (0.1, 0.1), SectorTracker(every=1))
    for index in range(12):
        pixels = phantom.draw(index * 0.7).pixels
        frame = tracker.frame(tick(pixels=pixels))
        assert frame.pixels is pixels
        assert frame.sector is not None
        assert (frame.geometry_epoch, frame.index, frame.timestamp_ns) == (0, 7, 5)
        assert frame.scale is not None


def test_fixed_region() -> None:
    roi = Roi(1, 2, 30, 40)
    frame = GeometryTracker(roi).frame(tick())
    assert (frame.roi, frame.sector, frame.scale) == (roi, None, None)
    with pytest.raises(UsageError, match="region of interest"):
        GeometryTracker(Roi(0, 0, 500, 10)).frame(tick())


def test_refuses() -> None:
    with pytest.raises(UsageError, match="pixel spacing"):
        GeometryTracker("none", (0.0, 1.0))
    with pytest.raises(UsageError, match="region of interest"):
        GeometryTracker("some")  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="frame size"):
        GeometryTracker("auto").frame(tick((8, 8)))
    empty = Tick(SignalState.STALE, None, 3, 0, None, INFO)
    with pytest.raises(ValueError, match="STALE"):
        GeometryTracker("none").frame(empty)
