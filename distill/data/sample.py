"""What every data set yields: a frame's path, its labels where it has any, and its group."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from fetalclip_edge.errors import CheckFailedError, InputError


class Split(str, Enum):
    """Part of a data set. Choices are made on VALIDATION; TEST is only ever reported."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


HEAD = "head"
"""The structure whose outline HC18 draws."""


@dataclass(frozen=True, slots=True)
class StructureMask:
    """A mask of one structure.

    Attributes:
        structure: its name.
        path: 8-bit gray image of the frame's size, 255 inside.
    """

    structure: str
    path: Path


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled frame.

    Attributes:
        image: path of the image.
        data_set: name of the data set.
        group: frames of one group (patient, block of numbers) never stand in two splits.
        split: the part it belongs to.
        plane: index of the plane class, or None where it is not labelled.
        outline: path of an image with the head's outline, or None.
        spacing_mm: pixel spacing of square pixels, or None.
        hc_mm: head circumference, or None.
        masks: masks of the structures that are labelled on it; the rest is not background.
    """

    image: Path
    data_set: str
    group: str
    split: Split
    plane: int | None = None
    outline: Path | None = None
    spacing_mm: float | None = None
    hc_mm: float | None = None
    masks: tuple[StructureMask, ...] = ()

    def __post_init__(self) -> None:
        names = [mask.structure for mask in self.masks] + [HEAD] * (self.outline is not None)
        if len(set(names)) < len(names):
            raise InputError(
                f"{self.image}", expected="one label a structure", arrived=", ".join(sorted(names))
            )


def check_no_leak(samples: list[Sample]) -> None:
    """Raises `CheckFailedError` if a group stands in more than one split."""
    seen: dict[tuple[str, str], Split] = {}
    for sample in samples:
        first = seen.setdefault((sample.data_set, sample.group), sample.split)
        if first is not sample.split:
            raise CheckFailedError(
                f"split of {sample.data_set}",
                expected="each group in one split",
                arrived=f"{sample.group} in {first.value} and {sample.split.value}",
                remedy="Split by group, never by image",
            )
