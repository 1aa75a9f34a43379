"""Probes on embeddings that are known to part their classes, or not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.data.sample import Sample, Split
from distill.evaluation.probe import FEW_PERCENT, ProbeData, draw_labels, fit_probe
from distill.evaluation.shortcut import FEATURES, file_features, shortcut_scores

_PER_CLASS = 12


def frames(folder: Path = Path()) -> list[Sample]:
    return [
        Sample(
            folder / f"{split.value}-{plane}-{k}.png",
            "FETAL_PLANES_DB",
            f"patient {split.value} {k}",
            split,
            plane,
        )
        for split in Split
        for plane in range(4)
        for k in range(_PER_CLASS)
    ]


def test_classes_that_lie_apart_are_told_apart_from_few_labels() -> None:
    samples = frames()
    rng = np.random.default_rng(0)
    rows = np.eye(8, dtype=np.float32)[[s.plane or 0 for s in samples]]
    rows = rows + rng.normal(0, 0.05, rows.shape).astype(np.float32)
    probe = fit_probe(ProbeData(tuple(samples), rows), "probe", stand_in=True)
    assert probe is not None
    assert probe.scores.all_labels.four.value == 1.0
    assert probe.scores.all_labels.stand_in
    assert [few.percent for few in probe.scores.few] == list(FEW_PERCENT)
    assert [few.labelled for few in probe.scores.few] == [4, 4, 4]  # one of each class at least
    assert all(few.four.value == few.lowest == few.highest == 1.0 for few in probe.scores.few)


def test_embeddings_that_say_nothing_are_near_chance() -> None:
    samples = frames()
    rows = np.random.default_rng(1).normal(0, 1, (len(samples), 2)).astype(np.float32)
    probe = fit_probe(ProbeData(tuple(samples), rows), "probe")
    assert probe is not None
    assert probe.scores.all_labels.four.value < 0.5
    assert len(probe.guess) == 4 * _PER_CLASS


def test_few_labels_are_drawn_by_class_and_anew() -> None:
    planes = [0] * 100 + [1] * 30 + [2]
    kept = draw_labels(planes, 10, 0)
    assert [sum(planes[i] == plane for i in kept) for plane in range(3)] == [10, 3, 1]
    assert kept == draw_labels(planes, 10, 0)
    assert kept != draw_labels(planes, 10, 1)


def test_without_all_splits_there_is_no_probe() -> None:
    samples = [sample for sample in frames() if sample.split is not Split.VALIDATION]
    rows = np.zeros((len(samples), 2), np.float32)
    assert fit_probe(ProbeData(tuple(samples), rows), "probe") is None
    with pytest.raises(ValueError, match="embeddings"):
        ProbeData(tuple(samples), rows[:1])


def test_a_form_that_gives_the_class_away_is_found(tmp_path: Path) -> None:
    samples = frames(tmp_path)
    rng = np.random.default_rng(2)
    for sample in samples:
        width = 64 + 8 * (sample.plane or 0)
        cv2.imwrite(str(sample.image), rng.integers(0, 255, (48, width), np.uint8))
    scores = shortcut_scores(samples)
    assert scores is not None
    assert scores.validation.value == scores.test.value == 1.0
    # always one of four classes of equal size: F1 0.4, 0, 0, 0
    assert scores.chance.value == pytest.approx(0.1)


def test_features_of_a_file_by_hand(tmp_path: Path) -> None:
    image = np.zeros((40, 50), np.uint8)
    image[10:35, 5:] = 100
    sample = Sample(tmp_path / "a.png", "x", "g", Split.TRAIN, 0)
    cv2.imwrite(str(sample.image), image)
    found = dict(zip(FEATURES, file_features(sample), strict=True))
    assert (found["height"], found["width"]) == (40, 50)
    assert (found["black rows above"], found["black rows below"]) == (0.25, 0.125)
    assert (found["black columns left"], found["black columns right"]) == (0.1, 0.0)
    assert (found["gray levels"], found["brightest pixel"]) == (2, 100)
    assert found["bytes per pixel"] == sample.image.stat().st_size / 2000
