"""A user's own frames: a folder of images, with a folder of masks for each structure.

    images/NAME.png (or another image)
    masks/<structure>/NAME.png     8-bit gray, of the image's size, 255 inside
    labels.csv                     optional: filename, plane, group, split, pixel size(mm)

An image without a mask of a structure is not labelled for it; an empty mask says that the
structure is not there. A cell that is left empty says nothing.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from distill.data.planes import PLANES
from distill.data.sample import Sample, Split, StructureMask, check_no_leak
from fetalclip_edge.bundle.fields import Name
from fetalclip_edge.errors import InputError
from fetalclip_edge.geometry import MAX_SPACING_MM
from fetalclip_edge.sources.opening import find_images

IMAGES, MASKS, TABLE = "images", "masks", "labels.csv"
COLUMNS = ("filename", "plane", "group", "split", "pixel size(mm)")
_CYCLE = (Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST)


def load_folder(root: Path) -> list[Sample]:
    """Returns the frames below `root`, named as a data set after that folder.

    Frames of one group (a patient, an examination) never stand in two splits. A frame without a
    group is a group of its own: name groups wherever a patient has more than one frame. Where
    the table names no split, a hash of the group does: four of six groups train, one validates
    and one tests.

    Raises:
        InputError: the layout, the table or a name is not as above.
        CheckFailedError: a group stands in two splits.
    """
    images = {path.name: path for path in find_images(str(root / IMAGES))}
    stems = {path.stem: path for path in images.values()}
    if len(stems) < len(images):
        twice = sorted(name for name, path in images.items() if stems[path.stem] != path)
        raise InputError(f"{root / IMAGES}", expected="one image a name", arrived=twice[0])
    masks = _find_masks(root / MASKS, stems)
    table = root / TABLE
    rows = _read_table(table, images) if table.is_file() else {}
    samples = []
    for name, image in images.items():
        row = rows.get(name, {})
        group = row.get("group") or image.stem
        samples.append(
            Sample(
                image=image,
                data_set=root.resolve().name,
                group=group,
                split=Split(row["split"]) if row.get("split") else _split_of(group),
                plane=PLANES.index(row["plane"]) if row.get("plane") else None,
                spacing_mm=_spacing_mm(row, f"{table}, {name}"),
                masks=masks.get(image.stem, ()),
            )
        )
    check_no_leak(samples)
    return samples


def _split_of(group: str) -> Split:
    number = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big")
    return _CYCLE[number % len(_CYCLE)]


def _find_masks(folder: Path, stems: Mapping[str, Path]) -> Mapping[str, tuple[StructureMask, ...]]:
    """Returns the masks of each image by its stem; every mask must belong to an image."""
    found: dict[str, tuple[StructureMask, ...]] = {}
    for structure in sorted(path for path in folder.glob("*") if path.is_dir()):
        try:
            TypeAdapter(Name).validate_python(structure.name)
        except ValidationError:
            raise InputError(
                f"{structure}",
                expected="a structure's name: letters, digits and . _ + -, 64 at most",
                arrived=repr(structure.name),
            ) from None
        for path in sorted(structure.glob("*")):
            if path.suffix != ".png" or path.stem not in stems:
                raise InputError(
                    f"{path}",
                    expected=f"NAME.png for an image in {IMAGES}/",
                    arrived="no such image",
                )
            found[path.stem] = (
                *found.get(path.stem, ()),
                StructureMask(structure.name, path),
            )
    return found


def _read_table(path: Path, images: Mapping[str, Path]) -> Mapping[str, Mapping[str, str]]:
    """Returns file name -> column -> cell, each cell checked but for the spacing."""
    rows: dict[str, Mapping[str, str]] = {}
    allowed = {"plane": PLANES, "split": tuple(split.value for split in Split)}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="one cell too many", restval="")
            columns = list(reader.fieldnames or ())
            if "filename" not in columns or not set(columns) <= set(COLUMNS):
                raise InputError(
                    f"{path}",
                    expected=f"columns filename and any of {', '.join(COLUMNS[1:])}",
                    arrived=", ".join(columns) or "an empty file",
                )
            for row in reader:
                where, name = f"{path}, line {reader.line_num}", row["filename"]
                if name not in images or name in rows or set(row) != set(columns):
                    raise InputError(
                        where,
                        expected=f"one row for an image in {IMAGES}/, with a cell a column",
                        arrived=", ".join(str(cell) for cell in row.values()),
                    )
                for column, values in allowed.items():
                    if row.get(column) and row[column] not in values:
                        raise InputError(
                            where, expected=f"{column} {', '.join(values)}", arrived=row[column]
                        )
                rows[name] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}", expected="a readable CSV", arrived=str(error)) from None
    return rows


def _spacing_mm(row: Mapping[str, str], where: str) -> float | None:
    text = row.get("pixel size(mm)")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= MAX_SPACING_MM:
        raise InputError(where, expected=f"(0, {MAX_SPACING_MM:g}] mm a pixel", arrived=text)
    return value
