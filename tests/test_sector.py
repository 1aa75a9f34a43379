"""The sector keeps the ultrasound and drops the writing."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip_edge.errors import UsageError
from fetalclip_edge.frame import Pixels
from fetalclip_edge.geometry import Roi
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.region import Sector
from fetalclip_edge.sector import SectorTracker, find_sector
from tests.sector_marks import MARKS

MARK_ERROR_PX = 3
"""How far a mark read off by eye may be from the edge."""


def data(folder: str) -> Path:
    root = os.environ.get("FETALCLIP_EDGE_DATA")
    if root is None or not (Path(root) / folder).is_dir():
        pytest.skip(f"needs {folder}/ in the folder that $FETALCLIP_EDGE_DATA names")
    return Path(root) / folder


def read(path: Path) -> Pixels:
    image = cv2.imread(str(path))
    assert image is not None, path
    return np.asarray(image, np.uint8)


def recoded(pixels: Pixels) -> Pixels:
    """As a capture stick hands it over: motion JPEG."""
    packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize("jpeg", [False, True], ids=["png", "jpeg"])
@pytest.mark.parametrize("name", MARKS)
def test_screens(name: str, jpeg: bool) -> None:
    screen = read(data("screens") / f"{name}.png")
    size_hw = screen.shape[0], screen.shape[1]
    marked = np.zeros(size_hw, np.uint8)
    cv2.fillPoly(marked, [np.array(MARKS[name])], 1)  # type: ignore[call-overload,unused-ignore]
    side = 2 * MARK_ERROR_PX + 1
    outside = cv2.dilate(marked, np.ones((side, side), np.uint8)) == 0
    bright = cv2.cvtColor(screen, cv2.COLOR_BGR2GRAY) > 60

    sector = find_sector(recoded(screen) if jpeg else screen)

    assert sector is not None
    found = sector.mask(size_hw)
    assert np.count_nonzero(found & marked) / np.count_nonzero(marked) >= 0.98
    survived = np.count_nonzero(bright & outside & (found > 0))
    # a clean screen loses every glyph; codec noise may leave a few pixels of an edge
    assert survived <= (0.002 * np.count_nonzero(bright & outside) if jpeg else 0)


def test_hc18_heads_stay_whole() -> None:
    folder = data("hc18/training_set")
    for path in sorted(folder.glob("*HC.png"))[::40]:
        outline = cv2.imread(str(path.with_name(f"{path.stem}_Annotation.png")), 0)
        assert outline is not None
        rows, columns = np.nonzero(outline)
        sector = find_sector(read(path))
        if sector is not None:
            inside = sector.mask((outline.shape[0], outline.shape[1]))[rows, columns]
            assert inside.mean() >= 0.98, path.name


@pytest.mark.parametrize("name", ["butterfly-ocular-phantom.mp4", "sonosite-anon-eye1-video.mp4"])
def test_moving_content_is_no_change(name: str) -> None:
    video = cv2.VideoCapture(str(data("video") / name))
    tracker = SectorTracker()
    seen: set[Sector | None] = set()
    while len(seen) < 2:
        ok, pixels = video.read()
        if not ok:
            break
        seen.add(tracker.update(np.asarray(pixels, np.uint8)))
    video.release()
    assert len(seen) == 1
    assert None not in seen


@pytest.mark.parametrize("seed", range(1, 5))
def test_phantom_sector(seed: int) -> None:
    drawn = Phantom(seed).draw(0.0)
    sector = find_sector(drawn.pixels)
    assert sector is not None
    assert sector.iou(drawn.sector) > 0.97


def test_nothing_to_find_is_the_whole_image() -> None:
    rng = np.random.default_rng(0)
    speckle = cv2.GaussianBlur(rng.integers(0, 160, (300, 400), np.uint8), (0, 0), 1.0)
    assert find_sector(np.zeros((300, 400), np.uint8)) is None
    assert find_sector(np.asarray(speckle, np.uint8)) is None  # nothing but ultrasound
    assert find_sector(np.full((16, 16, 3), 99, np.uint8)) is None


class TestTracker:
    """Layouts are textured rectangles on black, so that their overlap is known."""

    @staticmethod
    def screen(left: int, right: int, seed: int = 0) -> Pixels:
        rng = np.random.default_rng(seed)
        pixels = np.zeros((300, 400), np.uint8)
        speckle = cv2.GaussianBlur(rng.integers(20, 200, (240, 400), np.uint8), (0, 0), 1.0)
        pixels[30:270, left:right] = speckle[:, left:right]
        return pixels

    def test_a_new_layout_has_to_last(self) -> None:
        tracker = SectorTracker(every=1, confirm=3)
        first = tracker.update(self.screen(40, 240))
        moved = [tracker.update(self.screen(140, 360, seed)) for seed in range(3)]
        assert moved[:2] == [first, first]
        assert moved[2] is not None
        assert moved[2].roi.x > 130

    def test_a_shadow_is_no_change(self) -> None:
        tracker = SectorTracker(every=1, confirm=3, confirm_smaller=10)
        first = tracker.update(self.screen(40, 360))
        assert all(tracker.update(self.screen(120, 360, seed)) is first for seed in range(9))
        assert tracker.update(self.screen(40, 360)) is first
        assert all(tracker.update(self.screen(120, 360, seed)) is first for seed in range(9))

    def test_a_smaller_layout_that_lasts_is_one(self) -> None:
        tracker = SectorTracker(every=1, confirm_smaller=4)
        first = tracker.update(self.screen(40, 360))
        last = [tracker.update(self.screen(120, 280, seed)) for seed in range(4)][-1]
        assert last is not first

    def test_black_says_nothing(self) -> None:
        tracker = SectorTracker(every=1, confirm=2)
        first = tracker.update(self.screen(40, 360))
        black = np.zeros((300, 400), np.uint8)
        assert all(tracker.update(black) is first for _ in range(20))

    def test_looks_only_now_and_then(self) -> None:
        tracker = SectorTracker(every=5, confirm=1)
        first = tracker.update(self.screen(40, 240))
        later = [tracker.update(self.screen(140, 360)) for _ in range(5)]
        assert [sector is first for sector in later] == [True] * 4 + [False]


class TestSector:
    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 50)), min_size=3, max_size=12))
    def test_mask_is_the_polygon(self, points: list[tuple[int, int]]) -> None:
        hull = cv2.convexHull(np.array(points, np.int32)).reshape(-1, 2)
        if len(hull) < 3:
            return
        sector = Sector.from_polygon(tuple((int(x), int(y)) for x, y in hull))
        mask = sector.mask((60, 70))
        for y, x in np.ndindex(mask.shape):
            signed = cv2.pointPolygonTest(hull, (float(x), float(y)), measureDist=False)
            assert bool(mask[y, x]) == (signed >= 0), (x, y)

    def test_apply_blackens_a_copy(self) -> None:
        sector = Sector.from_polygon(((2, 2), (10, 2), (10, 8), (2, 8)))
        for shape in ((20, 30), (20, 30, 3)):
            pixels = np.full(shape, 7, np.uint8)
            out = sector.apply(pixels)
            assert out.sum() == 7 * 9 * 7 * (3 if len(shape) == 3 else 1)
            assert pixels.min() == 7
        assert sector.roi == Roi(2, 2, 9, 7)
        assert sector.roi_mask().shape == (7, 9)
        with pytest.raises(ValueError, match="read-only"):
            sector.roi_mask()[0, 0] = 0

    @pytest.mark.parametrize(
        "corners",
        [
            ((0, 0), (5, 5)),
            ((0, 0), (9, 9), (9, 0), (0, 9)),  # crosses itself
            ((0, 0), (9, 0), (3, 3), (0, 9)),  # hollow
        ],
    )
    def test_refuses_what_is_not_convex(self, corners: tuple[tuple[int, int], ...]) -> None:
        with pytest.raises(UsageError, match="sector"):
            Sector.from_polygon(corners)

    def test_refuses_an_image_too_small_for_it(self) -> None:
        sector = Sector.from_polygon(((2, 2), (10, 2), (10, 8)))
        with pytest.raises(UsageError, match="region of interest"):
            sector.apply(np.zeros((8, 8), np.uint8))
