"""Checks of a run's frames before it begins, and the record of how they were split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from distill.data.sample import Sample
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.near_duplicate import MAX_DISTANCE_BITS, near_pairs, perceptual_hash
from fetalclip_edge.preprocess import to_gray
from fetalclip_edge.sources.images import read_image


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
