"""The plug is pulled: full disks under each sink, Ctrl-C, and a process that is killed."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

from fetalclip_edge.phantom import Phantom

STREAM = (sys.executable, "-m", "fetalclip_edge", "stream", "--device", "demo")
LIVE_S = 60

_CAN_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        check=False,
    ).returncode
    == 0
)
needs_small_disk = pytest.mark.skipif(
    not _CAN_MOUNT, reason="no user namespaces here: a small disk cannot be mounted"
)


def on_small_disk(
    disk: Path, size: str, command: tuple[str, ...], kept: Path
) -> subprocess.CompletedProcess[str]:
    """Runs a command that finds a disk of `size` at `disk`, and keeps what lies there after it."""
    script = 'disk="$1"; size="$2"; kept="$3"; shift 3; mount -t tmpfs -o size="$size" t "$disk"'
    script += ' && { "$@"; code=$?; cp -r "$disk"/. "$kept"/; exit $code; }'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", str(disk), size, str(kept), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    found = tmp_path / "disk", tmp_path / "kept", tmp_path / "frames"
    for folder in found:
        folder.mkdir()
    phantom = Phantom()
    for number in range(6):
        cv2.imwrite(str(found[2] / f"{number}.png"), phantom.draw(number / 5).pixels)
    return found


def _is_one_error(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert words in " ".join(done.stderr.split())


@needs_small_disk
def test_a_full_disk_under_the_record(folders: tuple[Path, Path, Path]) -> None:
    disk, kept, _ = folders
    command = (*STREAM, "--output-jsonl", str(disk / "out.jsonl"))
    _is_one_error(on_small_disk(disk, "48k", command, kept), "Free space")
    lines = (kept / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(len(lines)))
    assert len(lines) > 5


@needs_small_disk
def test_a_full_disk_under_the_video(folders: tuple[Path, Path, Path]) -> None:
    disk, kept, _ = folders
    command = (*STREAM, "--output-video", str(disk / "out.mkv"))
    _is_one_error(on_small_disk(disk, "14m", command, kept), "free space")
    video = cv2.VideoCapture(str(kept / "out.mkv"))
    assert video.isOpened()
    assert video.read()[0]
    video.release()


@needs_small_disk
def test_a_full_disk_under_the_summary(folders: tuple[Path, Path, Path]) -> None:
    disk, kept, frames = folders
    filler = 'import sys; open(sys.argv[1], "wb").write(bytes(4096))'
    command = (
        "sh",
        "-c",
        'filler="$1"; at="$2"; shift 2; "$0" -c "$filler" "$at"; exec "$0" "$@"',
        sys.executable,
        filler,
        str(disk / "filler"),
        *STREAM[1:4],
        "--device",
        str(frames),
        "--summary",
        str(disk / "summary.json"),
    )
    _is_one_error(on_small_disk(disk, "4k", command, kept), "summary.json")
    left = [path for path in kept.iterdir() if path.name != "filler"]
    assert not [path for path in left if path.name == "summary.json"]


@needs_small_disk
@pytest.mark.parametrize("option", ["--mask-dir", "--overlay-dir"])
def test_a_full_disk_under_pictures(folders: tuple[Path, Path, Path], option: str) -> None:
    disk, kept, frames = folders
    command = (*STREAM[:3], "predict", str(frames), option, str(disk / "out"))
    _is_one_error(on_small_disk(disk, "12k", command, kept), ".png")
    for path in kept.rglob("*.png"):
        assert cv2.imread(str(path)) is not None  # no half picture is left


def _started(*arguments: str, record: Path) -> subprocess.Popen[str]:
    """Starts a paced stream and returns once it has written some lines."""
    process = subprocess.Popen(
        [*STREAM, "--pace", "--output-jsonl", str(record), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell without job control starts its background jobs, and so this test, deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + LIVE_S
    while time.monotonic() < deadline:
        if record.is_file() and record.read_text().count("\n") > 30:
            return process
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"the stream did not start: {process.communicate()}")


def test_ctrl_c_ends_with_130_and_whole_files(tmp_path: Path) -> None:
    record, video, summary = tmp_path / "o.jsonl", tmp_path / "o.mkv", tmp_path / "s.json"
    process = _started("--output-video", str(video), "--summary", str(summary), record=record)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=LIVE_S)
    assert process.returncode == 130
    assert "Traceback" not in errors
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert json.loads(summary.read_text())["frames"] == len(lines)
    assert _frames(video) == len(lines)


def test_a_killed_process_leaves_a_record_and_a_video_to_read(tmp_path: Path) -> None:
    record, video = tmp_path / "o.jsonl", tmp_path / "o.mkv"
    process = _started("--output-video", str(video), record=record)
    process.kill()
    process.communicate(timeout=LIVE_S)
    lines = record.read_text().split("\n")
    for line in lines[:-1]:
        json.loads(line)
    assert len(lines) > 30
    assert _frames(video) > 0


def _frames(path: Path) -> int:
    video, count = cv2.VideoCapture(str(path)), 0
    while video.read()[0]:
        count += 1
    video.release()
    return count
