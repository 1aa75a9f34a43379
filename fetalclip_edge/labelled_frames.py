"""A table of labelled frames with their split, so that no stage has to know how data was split.

CSV in UTF-8 with the columns of `COLUMNS`; paths are relative to the table's own folder or
absolute; an empty cell is a label that the frame does not have.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fetalclip_edge.errors import InputError

COLUMNS = ("image", "data_set", "split", "plane", "outline", "spacing_mm", "hc_mm")
SPLITS = ("train", "validation", "test")
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """One frame on disk with what is known of it.

    Attributes:
        image: path of the image.
        data_set: name of the data set.
        split: "train", "validation" or "test"; choices are made on validation alone.
        plane: name of its plane, or None.
        outline: image with the head's drawn outline, or None.
        spacing_mm: mm per (square) pixel, in (0, 10], or None.
        hc_mm: true head circumference, or None.
    """

    image: Path
    data_set: str
    split: str
    plane: str | None = None
    outline: Path | None = None
    spacing_mm: float | None = None
    hc_mm: float | None = None


def read_labelled_frames(path: Path) -> tuple[LabelledFrame, ...]:
    """Returns the rows of a table.

    Raises:
        InputError: it cannot be read, lacks a column, or a cell is not what it must be.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}", expected="a table under 64 MB", arrived="a larger one")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            if not set(COLUMNS) <= columns:
                raise InputError(
                    f"{path}",
                    expected=f"columns {', '.join(COLUMNS)}",
                    arrived=", ".join(sorted(columns)) or "an empty file",
                    remedy="Write it with `fetalclip-edge frames`",
                )
            rows = tuple(_row(row, path, reader.line_num) for row in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}", expected="a readable CSV", arrived=str(error)) from None
    if not rows:
        raise InputError(f"{path}", expected="at least one frame", arrived="none")
    return rows


def labelled_frames_csv(frames: Iterable[LabelledFrame]) -> bytes:
    """Returns the bytes of a table that holds these frames."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for frame in frames:
        cells = (getattr(frame, column) for column in COLUMNS)
        writer.writerow(["" if cell is None else str(cell) for cell in cells])
    return text.getvalue().encode("utf-8")


def _row(row: dict[str, str], path: Path, line: int) -> LabelledFrame:
    where = f"{path}, line {line}"
    if row["split"] not in SPLITS:
        raise InputError(where, expected=f"split {' or '.join(SPLITS)}", arrived=row["split"])
    if not row["image"]:
        raise InputError(where, expected="an image", arrived="an empty cell")
    spacing_mm = _number(row["spacing_mm"], where)
    if spacing_mm is not None and not 0 < spacing_mm <= 10:
        raise InputError(where, expected="(0, 10] mm a pixel", arrived=f"{spacing_mm:g}")
    return LabelledFrame(
        image=path.parent / row["image"],
        data_set=row["data_set"] or "unnamed",
        split=row["split"],
        plane=row["plane"] or None,
        outline=path.parent / row["outline"] if row["outline"] else None,
        spacing_mm=spacing_mm,
        hc_mm=_number(row["hc_mm"], where),
    )


def _number(text: str | None, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(where, expected="a number", arrived=repr(text))
    return value
