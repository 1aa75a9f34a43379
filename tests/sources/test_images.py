"""Image files that are good, bad and odd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fetalclip_edge.errors import ImageError, SourceError
from fetalclip_edge.sources.images import ImageSource, read_image
from fetalclip_edge.sources.opening import open_source_factory
from fetalclip_edge.sources.video import VideoFileSource


def _save(path: Path, image: NDArray[np.integer[Any]]) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


@pytest.mark.parametrize(("channels", "shape"), [(1, (32, 48)), (3, (32, 48, 3)), (4, (32, 48, 3))])
def test_gray_colour_and_transparent(tmp_path: Path, channels: int, shape: tuple[int, ...]) -> None:
    image = np.zeros((32, 48, channels), np.uint8)
    assert read_image(_save(tmp_path / "a.png", image)).shape == shape


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "deep.png", np.zeros((32, 32), np.uint16))
    with pytest.raises(ImageError, match="8 bits a channel, got uint16"):
        read_image(path)


def test_one_pixel_is_refused(tmp_path: Path) -> None:
    path = _save(tmp_path / "dot.png", np.zeros((1, 1), np.uint8))
    with pytest.raises(ImageError, match=r"dot.png.*16 to 8192"):
        read_image(path)


@pytest.mark.parametrize("kept", [0, 20, 200])
def test_a_corrupt_png_is_named(tmp_path: Path, kept: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    path = _save(tmp_path / "cut.png", noise)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ImageError, match=r"cut\.png"):
        read_image(path)


def test_a_bad_image_is_passed_by_at_the_next_read(tmp_path: Path) -> None:
    bad = tmp_path / "a.png"
    bad.write_bytes(b"no image")
    good = _save(tmp_path / "b.png", np.zeros((32, 32), np.uint8))
    with ImageSource([bad, good]) as source:
        with pytest.raises(ImageError):
            source.read()
        frame = source.read()
        assert frame is not None
        assert frame.path == str(good)
        assert source.read() is None


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="at least one image"):
        open_source_factory(str(tmp_path))().open()


def test_an_unknown_device_is_an_error() -> None:
    with pytest.raises(SourceError, match="--device nothing"):
        open_source_factory("nothing")


def test_a_truncated_video_ends_after_its_whole_frames(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48)
    )
    generator = np.random.default_rng(0)
    for _ in range(30):
        writer.write(generator.integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with VideoFileSource(path) as source:
        frames = 0
        while source.read() is not None:
            frames += 1
    assert 5 <= frames < 30


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    path.write_bytes(b"not a video at all" * 100)
    with pytest.raises(SourceError, match="cannot"):
        VideoFileSource(path).open()
