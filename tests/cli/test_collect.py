"""`fetalclip-edge collect` as a user meets it."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fetalclip_edge.sources.images import read_image
from tests.cli.test_cli import run
from tests.cli.test_faults import needs_small_disk, on_small_disk
from tests.test_collecting import scene


def _scenes(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"patient-doe-{number:02d}.png"), scene(number))
    return folder


def test_the_demo_gives_its_sector(tmp_path: Path) -> None:
    done = run("collect", "--device", "demo", "--output-dir", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert "seen 300, kept 1, near-duplicates 9, without a sector 0" in done.stdout
    (path,) = (tmp_path / "out").iterdir()
    height, width = read_image(path).shape
    assert (height, width) < (540, 800)


def test_frames_are_counted_and_the_limit_holds(tmp_path: Path) -> None:
    source, out = _scenes(tmp_path / "in", 6), tmp_path / "out"
    cv2.imwrite(str(source / "z.png"), scene(0))
    cv2.imwrite(str(source / "zz.png"), np.zeros((300, 400), np.uint8))
    arguments = ("collect", "--device", str(source), "--output-dir", str(out))
    done = run(*arguments, "--max-frames", "4")
    assert done.returncode == 0, done.stderr
    assert f"{out}: seen 4, kept 4" in done.stdout
    done = run(*arguments)
    assert "seen 8, kept 2, near-duplicates 5, without a sector 1" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == [f"{n:06d}.png" for n in range(6)]


def test_nothing_to_keep_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    cv2.imwrite(str(source / "a.png"), np.zeros((300, 400), np.uint8))
    done = run("collect", "--device", str(source), "--output-dir", str(tmp_path / "out"))
    assert done.returncode == 4
    assert "seen 1, kept 0" in done.stdout
    assert "--roi none" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--device", "nothing"), 4, "--device nothing"),
        (("--device", "demo", "--roi", "1,2"), 2, "auto, none, or x,y,w,h"),
        (("--device", "demo", "--roi", "700,0,200,100"), 2, "inside the 800 x 540 frame"),
        (("--device", "demo", "--max-distance", "65"), 2, "--max-distance"),
        (("--device", "demo", "--every", "-1"), 2, "--every"),
    ],
)
def test_an_error_is_clear(
    tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run("collect", *arguments, "--output-dir", str(tmp_path / "out"))
    assert done.returncode == code, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


@needs_small_disk
def test_a_full_disk_keeps_whole_frames(tmp_path: Path) -> None:
    source = _scenes(tmp_path / "in", 12)
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    command = (sys.executable, "-m", "fetalclip_edge", "collect", "--device", str(source))
    done = on_small_disk(disk, "300k", (*command, "--output-dir", str(disk / "out")), kept)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("\n") == 1
    assert "Free space" in done.stderr
    names = sorted(path.name for path in (kept / "out").iterdir())
    assert names == [f"{n:06d}.png" for n in range(len(names))]
    assert 1 <= len(names) < 12
    for name in names:
        read_image(kept / "out" / name)
    assert f"kept {len(names)}" in done.stdout
