"""What `collect` keeps, what it withholds, and that nothing outside the sector is written."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from fetalclip_edge.collecting import Collector, Verdict, only_ultrasound
from fetalclip_edge.errors import ImageError, SinkError, UsageError
from fetalclip_edge.frame import Pixels
from fetalclip_edge.frame_folder import NO_DATE_S, FrameFolder
from fetalclip_edge.geometry import Roi
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.sector import outline
from fetalclip_edge.signal import SignalState, Tick
from fetalclip_edge.sources.base import RawFrame, SourceInfo
from fetalclip_edge.sources.images import read_image
from tests.sector_marks import MARKS
from tests.test_sector import MARK_ERROR_PX, data, read, recoded

INFO = SourceInfo(kind="demo", name="demo", live=True)


def tick(pixels: Pixels | None, state: SignalState = SignalState.LIVE, time_s: float = 0.0) -> Tick:
    raw = None if pixels is None else RawFrame(pixels, round(time_s * 1e9))
    return Tick(state, raw, 0, 0, None, INFO)


def speckle(size_hw: tuple[int, int], seed: int = 0) -> Pixels:
    noise = np.random.default_rng(seed).integers(20, 200, size_hw, np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.0), np.uint8)


def scene(seed: int) -> Pixels:
    """An ultrasound of large blobs, another one for each seed."""
    blobs = np.random.default_rng(seed).integers(40, 220, (5, 7), np.uint8)
    large = cv2.resize(blobs, (400, 300), interpolation=cv2.INTER_CUBIC)
    return cv2.multiply(large, speckle((300, 400), seed), scale=1 / 160).astype(np.uint8)


@pytest.mark.parametrize("jpeg", [False, True], ids=["png", "jpeg"])
@pytest.mark.parametrize("name", MARKS)
def test_no_writing_of_a_real_screen_is_kept(name: str, jpeg: bool) -> None:
    screen = read(data("screens") / f"{name}.png")
    screen = recoded(screen) if jpeg else screen
    size_hw = screen.shape[0], screen.shape[1]
    gray = cv2.cvtColor(screen, cv2.COLOR_BGR2GRAY)
    marked = np.zeros(size_hw, np.uint8)
    cv2.fillPoly(marked, [np.array(MARKS[name])], 1)  # type: ignore[call-overload,unused-ignore]
    side = 2 * MARK_ERROR_PX + 1
    outside = cv2.dilate(marked, np.ones((side, side), np.uint8)) == 0

    kept = only_ultrasound(screen, "auto")

    sector = outline(screen)
    assert kept is not None
    assert sector is not None
    box = sector.roi
    assert kept.shape == (box.height, box.width)
    placed = np.zeros(size_hw, np.uint8)
    placed[box.y : box.y + box.height, box.x : box.x + box.width] = kept
    writing = outside & (gray > 60)
    assert np.count_nonzero(writing) > 1000
    # codec noise may leave a few pixels of an edge
    survived = np.count_nonzero(placed[writing] > 60)
    assert survived <= (0.002 * np.count_nonzero(writing) if jpeg else 0)
    assert np.count_nonzero(placed[marked > 0]) >= 0.95 * np.count_nonzero(gray[marked > 0])


@pytest.mark.parametrize("height", [13, 20, 32])
def test_a_line_of_text_over_a_picture_that_fills_the_frame_is_cut_off(height: int) -> None:
    # a sector that is nearly the whole frame counts as the whole of it for the model
    screen = speckle((540, 800))
    screen[:height] = 0
    cv2.putText(screen, "DOE, JANE  1990-01-01  ID 12345678" * 2, (2, height - 3), 0, 0.4, 255, 1)
    written = int(np.count_nonzero(screen[:height] > 200))
    assert written > 200
    kept = only_ultrasound(screen, "auto")
    assert kept is not None
    assert int(np.count_nonzero(kept > 200)) < 0.01 * written


@pytest.mark.parametrize("background", [0, 60, 200])
def test_a_screen_of_text_alone_is_withheld(background: int, tmp_path: Path) -> None:
    screen = np.full((540, 800), background, np.uint8)
    for row in range(30, 540, 24):
        cv2.putText(screen, "Patient 4711 Doe, Jane born 1990", (20, row), 0, 0.7, 255, 1, 16)
    folder = FrameFolder(tmp_path)
    assert Collector(folder).take(tick(screen)) is Verdict.NO_SECTOR
    assert not list(tmp_path.iterdir())
    # the user's own word: all of it
    assert Collector(folder, "none").take(tick(screen)) is Verdict.KEPT


def test_a_new_layout_takes_effect_with_its_first_frame() -> None:
    before = np.zeros((300, 400), np.uint8)
    before[:, 20:380] = speckle((300, 360))
    after = np.zeros((300, 400), np.uint8)
    after[:, 20:240] = speckle((300, 220), 1)
    cv2.putText(after, "DOE JANE", (260, 150), 0, 0.6, 255, 2)
    assert only_ultrasound(before, "auto") is not None
    kept = only_ultrasound(after, "auto")
    assert kept is not None
    assert kept.shape[1] < 235


def test_a_given_region_is_kept_as_it_is() -> None:
    colour = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    kept = only_ultrasound(colour, Roi(10, 20, 32, 24))
    gray = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    assert kept is not None
    assert np.array_equal(kept, gray[20:44, 10:42])
    with pytest.raises(UsageError, match="inside the 80 x 60 frame"):
        only_ultrasound(colour, Roi(60, 20, 32, 24))
    with pytest.raises(ImageError, match="16 to 8192"):
        only_ultrasound(colour, Roi(0, 0, 8, 32))


def test_each_verdict_is_counted(tmp_path: Path) -> None:
    collector = Collector(FrameFolder(tmp_path), "none", every_s=1.0)
    assert collector.take(tick(None, SignalState.NO_SIGNAL)) is None
    assert collector.take(tick(scene(0), time_s=5.0)) is Verdict.KEPT
    assert collector.take(tick(scene(1), time_s=5.5)) is Verdict.NOT_DUE
    assert collector.take(tick(scene(1), SignalState.FROZEN, time_s=6.0)) is Verdict.NOT_LIVE
    assert collector.take(tick(scene(0), time_s=6.0)) is Verdict.DUPLICATE
    assert collector.take(tick(scene(1), time_s=7.0)) is Verdict.KEPT
    assert collector.take(tick(scene(2), time_s=0.0)) is Verdict.KEPT  # a clock that was set back
    assert collector.counts == {
        Verdict.KEPT: 3,
        Verdict.DUPLICATE: 1,
        Verdict.NO_SECTOR: 0,
        Verdict.NOT_LIVE: 1,
        Verdict.NOT_DUE: 1,
    }
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_names_nobody_and_no_time(tmp_path: Path) -> None:
    Collector(FrameFolder(tmp_path)).take(tick(Phantom(2).draw(0.0).pixels))
    (path,) = tmp_path.iterdir()
    assert path.name == "000000.png"
    assert path.stat().st_mtime == NO_DATE_S
    pixels = read_image(path)
    assert pixels.ndim == 2
    content, chunks, at = path.read_bytes(), set(), 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunks.add(content[at + 4 : at + 8])
        at += 12 + length
    assert chunks == {b"IHDR", b"IDAT", b"IEND"}


def test_a_folder_is_continued_and_its_pictures_are_known(tmp_path: Path) -> None:
    first = Collector(FrameFolder(tmp_path), "none")
    assert [first.take(tick(scene(n))) for n in range(3)] == [Verdict.KEPT] * 3
    (tmp_path / "000001.png").unlink()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    again = Collector(FrameFolder(tmp_path), "none")
    assert again.take(tick(scene(0))) is Verdict.DUPLICATE
    assert again.take(tick(scene(5))) is Verdict.KEPT
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(after) - set(before) == {"000003.png"}  # a gap is not filled
    assert {name: after[name] for name in before} == before


def test_two_writers_never_take_each_others_numbers(tmp_path: Path) -> None:
    one, other = FrameFolder(tmp_path), FrameFolder(tmp_path)
    (tmp_path / "000002.png.tmp").write_bytes(b"what a killed run left")
    images = [np.full((16, 16), value, np.uint8) for value in range(4)]
    for writer, image in zip((one, other, one, other), images, strict=True):
        writer.add(image)
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == ["000000.png", "000001.png", "000003.png", "000004.png"]
    assert [int(read_image(tmp_path / name)[0, 0]) for name in names] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["notes.txt", "1.png", "000000.jpg", "sub"])
def test_a_folder_of_other_things_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir() if name == "sub" else (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match="new or empty folder"):
        FrameFolder(tmp_path)


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SinkError, match="file"):
        FrameFolder(tmp_path / "file" / "under")
    folder = FrameFolder(tmp_path / "gone")
    os.rmdir(tmp_path / "gone")
    with pytest.raises(SinkError, match=r"000000\.png"):
        folder.add(np.zeros((16, 16), np.uint8))
    (tmp_path / "gone").write_bytes(b"")
    with pytest.raises(SinkError, match=r"000001\.png"):
        folder.add(np.zeros((16, 16), np.uint8))
