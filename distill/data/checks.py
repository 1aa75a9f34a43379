"""Checks of a run's frames before it begins, and the record of how they were split."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from distill.data.sample import Sample
from fetalclip_edge.errors import CheckFailedError, SinkError
from fetalclip_edge.near_duplicate import MAX_DISTANCE_BITS, near_pairs, perceptual_hash
from fetalclip_edge.preprocess import to_gray
from fetalclip_edge.sources.images import read_image

SPLIT_COLUMNS = ("data set", "file", "group", "split")


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two frames in different splits that are nearly the same picture.

    Attributes:
        first: one of them.
        second: the other.
        distance_bits: Hamming distance of their hashes, in [0, 64].
    """

    first: Sample
    second: Sample
    distance_bits: int

    def __str__(self) -> str:
        return f"{_place(self.first)} and {_place(self.second)}, {self.distance_bits} bits apart"


def _place(sample: Sample) -> str:
    return f"{sample.data_set} {sample.image.name} ({sample.split.value})"


def near_pairs_across_splits(
    samples: Sequence[Sample], max_distance_bits: int = MAX_DISTANCE_BITS
) -> list[NearPair]:
    """Returns pairs of nearly equal frames that stand in different splits, the nearest first.

    A group that stands in one split does not rule them out: a patient may be in a data set under
    two numbers, or in two data sets.

    Args:
        samples: all frames of a run; every image is read.
        max_distance_bits: see `MAX_DISTANCE_BITS`.

    Raises:
        ImageError: an image cannot be read.
    """
    hashes = [perceptual_hash(to_gray(read_image(sample.image))) for sample in samples]
    pairs = [
        NearPair(samples[i], samples[j], distance)
        for i, j, distance in near_pairs(hashes, max_distance_bits)
        if samples[i].split is not samples[j].split
    ]
    return sorted(pairs, key=lambda pair: pair.distance_bits)


def refuse_near_pairs(pairs: Sequence[NearPair]) -> None:
    """Raises `CheckFailedError` if there is a pair."""
    if pairs:
        raise CheckFailedError(
            "split",
            expected="no picture in two parts",
            arrived=f"{len(pairs)} near-duplicates, the first {pairs[0]}",
            remedy="Put both frames into one group, or leave one out",
        )


def write_split(samples: Sequence[Sample], path: Path) -> None:
    """Writes which frame was in which part as CSV: data set, file, group, split.

    Raises:
        SinkError: it cannot be written; what was there before stays.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(SPLIT_COLUMNS)
            table.writerows(
                (sample.data_set, sample.image.name, sample.group, sample.split.value)
                for sample in samples
            )
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise SinkError(
            f"{path}",
            expected="room for the table of the split",
            arrived=error.strerror or "an error",
            remedy="Free space or choose another place",
        ) from None
