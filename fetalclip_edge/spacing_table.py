"""Pixel spacings and true circumferences of image files, from a CSV in HC18's form."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fetalclip_edge.errors import InputError

_SPACING = "pixel size(mm)"
_HC = "head circumference (mm)"
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class SpacingRow:
    """One row: mm per (square) pixel, in (0, 10], and the true HC in mm where it is known."""

    spacing_mm: float
    hc_mm: float | None


def read_spacing_table(path: Path) -> Mapping[str, SpacingRow]:
    """Returns file name -> row for a CSV with `filename`, `pixel size(mm)` and, if known, HC.

    Raises:
        InputError: it cannot be read, lacks a column, or a number is none or out of range.
    """
    rows: dict[str, SpacingRow] = {}
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}", expected="a table under 64 MB", arrived="a larger one")
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            if not {"filename", _SPACING} <= columns:
                raise InputError(
                    f"{path}",
                    expected=f"columns filename and {_SPACING}",
                    arrived=", ".join(sorted(columns)) or "an empty file",
                )
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                spacing = _number(row[_SPACING], where)
                if not 0.0 < spacing <= 10.0:
                    raise InputError(where, expected="(0, 10] mm a pixel", arrived=f"{spacing:g}")
                hc = row.get(_HC)
                rows[row["filename"]] = SpacingRow(spacing, _number(hc, where) if hc else None)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}", expected="a readable CSV", arrived=str(error)) from None
    return rows


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(where, expected="a number", arrived=repr(text))
    return value
