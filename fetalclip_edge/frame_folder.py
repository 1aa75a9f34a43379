"""A folder of numbered frames that grows and never loses one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import cv2

from fetalclip_edge.errors import SinkError, UsageError
from fetalclip_edge.frame import Pixels
from fetalclip_edge.sources.images import read_image

_NAME = re.compile(r"(\d{6,})\.png")
_SUFFIX = ".tmp"
NO_DATE_S = 315_532_800
"""Every file's date, 1980-01-01: a date of examination is personal, and FAT begins there."""


class FrameFolder:
    """8-bit PNGs named 000000.png and on, each written whole or not at all.

    A folder that holds frames is continued behind its last number. Nothing is ever overwritten,
    not even where two programs fill one folder: a number belongs to whoever made its temporary
    file, and one that a killed run left behind is passed over.

    Args:
        folder: made where it is missing.

    Raises:
        UsageError: the folder holds something other than frames.
        SinkError: it cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            names = sorted(path.name for path in folder.iterdir())
        except OSError as error:
            raise _unwritable(folder, error) from None
        others = [name for name in names if not _NAME.fullmatch(name.removesuffix(_SUFFIX))]
        if others:
            raise UsageError(
                f"--output-dir {folder}",
                expected="a new or empty folder, or one with frames of `fetalclip-edge collect`",
                arrived=f"one that holds {others[0]}",
                remedy="Give another folder",
            )
        self._names = [name for name in names if not name.endswith(_SUFFIX)]
        self._next = 1 + max((int(name.split(".")[0]) for name in names), default=-1)

    def frames(self) -> Iterator[Pixels]:
        """Yields the frames that were there at the start; `ImageError` for one that is damaged."""
        for name in self._names:
            yield read_image(self._folder / name)

    def add(self, gray: Pixels) -> Path:
        """Writes a frame (H, W) under the next free number and returns its file.

        Raises:
            SinkError: it cannot be written; nothing of it is left.
        """
        data = cv2.imencode(".png", gray)[1].tobytes()
        while True:
            target = self._folder / f"{self._next:06d}.png"
            self._next += 1
            if self._write(target, data):
                return target

    def _write(self, target: Path, data: bytes) -> bool:
        """Returns whether the number was free and the frame is written."""
        temporary = target.with_name(target.name + _SUFFIX)
        try:
            with temporary.open("xb") as out:
                taken = target.exists()
                if not taken:
                    out.write(data)
                    out.flush()
                    os.fsync(out.fileno())
            if taken:
                temporary.unlink()
                return False
            os.utime(temporary, (NO_DATE_S, NO_DATE_S))
            temporary.rename(target)
        except FileExistsError:
            return False  # another program's number
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise _unwritable(target, error) from None
        return True


def _unwritable(path: Path, error: OSError) -> SinkError:
    return SinkError(
        f"{path}",
        expected="room for one more frame",
        arrived=error.strerror or "an error",
        remedy="Free space or choose another place; the frames before it are whole",
    )
