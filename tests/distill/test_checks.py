"""What is checked of a run's frames, and the table of its split."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.data.checks import near_pairs_across_splits, refuse_near_pairs
from distill.data.sample import Sample, Split
from distill.data.standard import load_standard
from fetalclip_edge.errors import CheckFailedError
from tests.test_collecting import scene


def _sample(folder: Path, name: str, seed: int, split: Split, gain: float = 1.0) -> Sample:
    path = folder / name
    assert cv2.imwrite(str(path), np.asarray(scene(seed) * gain, np.uint8))
    return Sample(path, "ours", name, split)


def test_a_picture_in_two_parts_is_found_though_its_groups_differ(tmp_path: Path) -> None:
    samples = [
        _sample(tmp_path, "a.png", 1, Split.TRAIN),
        _sample(tmp_path, "b.png", 2, Split.VALIDATION),
        _sample(tmp_path, "c.jpg", 1, Split.TEST, gain=0.9),
        _sample(tmp_path, "d.png", 1, Split.TRAIN, gain=0.95),  # the same part as the first
    ]
    pairs = near_pairs_across_splits(samples)
    names = {(pair.first.image.name, pair.second.image.name) for pair in pairs}
    assert names == {("a.png", "c.jpg"), ("c.jpg", "d.png")}
    with pytest.raises(CheckFailedError, match=r"2 near-duplicates, the first ours .*\(test\)"):
        refuse_near_pairs(pairs)
    refuse_near_pairs(near_pairs_across_splits(samples[:2]))


def test_no_picture_of_the_real_data_is_in_two_parts() -> None:
    folder = os.environ.get("FETALCLIP_EDGE_DATA")
    if not folder:
        pytest.skip("FETALCLIP_EDGE_DATA is not set: real frames are missing")
    assert near_pairs_across_splits(load_standard(Path(folder))) == []
