"""The perceptual hash: what it does not see, and what it does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetalclip_edge.near_duplicate import (
    MAX_DISTANCE_BITS,
    NearDuplicates,
    distances_bits,
    near_pairs,
    perceptual_hash,
)
from fetalclip_edge.phantom import Phantom

HASHES = st.integers(0, 2**64 - 1)


def test_a_hash_by_hand() -> None:
    # one cosine across the columns: of all 64 frequencies the first row's second alone is not 0,
    # but for the constant, so that two bits stand above the median
    columns = np.cos(np.pi * (np.arange(32) + 0.5) / 32)
    gray = np.rint(128 + 100 * np.tile(columns, (32, 1))).astype(np.uint8)
    bits = f"{perceptual_hash(gray):064b}"
    assert bits[:2] == "11"


@pytest.mark.parametrize("shape", [(16, 16), (32, 32), (540, 800), (17, 900)])
def test_a_flat_picture_has_a_hash_too(shape: tuple[int, int]) -> None:
    assert 0 <= perceptual_hash(np.full(shape, 7, np.uint8)) < 2**64
    assert perceptual_hash(np.zeros(shape, np.uint8)) == 0


@given(HASHES, st.lists(HASHES, max_size=5))
def test_distances_are_those_of_the_integers(one: int, others: list[int]) -> None:
    expected = [(one ^ other).bit_count() for other in others]
    assert distances_bits(one, np.array(others, np.uint64)).tolist() == expected


@given(st.lists(HASHES, max_size=8), st.integers(0, 64))
def test_pairs_are_all_pairs_within_the_distance(hashes: list[int], limit: int) -> None:
    expected = [
        (i, j, (hashes[i] ^ hashes[j]).bit_count())
        for i in range(len(hashes))
        for j in range(i + 1, len(hashes))
        if (hashes[i] ^ hashes[j]).bit_count() <= limit
    ]
    assert near_pairs(hashes, limit) == expected


def test_gain_and_recoding_are_the_same_picture() -> None:
    gray = Phantom(3).draw(0.0).pixels
    packed = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]
    recoded = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    darker = (gray * 0.9).astype(np.uint8)
    known = NearDuplicates()
    assert known.add(perceptual_hash(gray))
    assert not known.add(perceptual_hash(np.asarray(recoded, np.uint8)))
    assert not known.add(perceptual_hash(darker))
    assert len(known) == 1


def test_the_same_head_turned_is_another_picture() -> None:
    gray = Phantom(3).draw(0.0).pixels
    known = NearDuplicates()
    assert known.add(perceptual_hash(gray))
    assert known.add(perceptual_hash(np.ascontiguousarray(gray[:, ::-1])))
    assert len(known) == 2


def test_the_limit_is_inclusive_and_what_is_dropped_is_not_remembered() -> None:
    known = NearDuplicates(MAX_DISTANCE_BITS)
    assert known.add(0)
    assert not known.add(0b1111)
    assert known.add(0b11111)  # 5 bits from the first; the second would have been 1 bit away
    assert len(known) == 2


def test_more_pictures_than_the_first_table_holds() -> None:
    known = NearDuplicates(0)
    assert all(known.add(n) for n in range(200))
    assert not any(known.add(n) for n in range(200))


@pytest.mark.parametrize("limit", [-1, 65])
def test_a_distance_that_makes_no_sense(limit: int) -> None:
    with pytest.raises(ValueError, match="0 to 64"):
        NearDuplicates(limit)
