"""What an image file tells without its anatomy: size, black borders and traces of compression.

A collection that was put together from several places may give its classes away by the form of
their files. A forest that sees that form alone shows how far this goes; it stands beside the
scores of the planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from distill.data.sample import Sample, Split
from distill.evaluation.bootstrap import Figure, group_of
from distill.evaluation.planes import FOUR, f1_figure
from fetalclip_edge.preprocess import to_gray
from fetalclip_edge.sources.images import read_image

FEATURES = (
    "height",
    "width",
    "black rows above",
    "black rows below",
    "black columns left",
    "black columns right",
    "bytes per pixel",
    "steps at 8-pixel blocks",
    "gray levels",
    "brightest pixel",
)
_BLACK = 8
_TREES = 300


@dataclass(frozen=True, slots=True)
class ShortcutScores:
    """Macro F1 over four classes from the form of the files alone, on frames of these.

    Attributes:
        validation: on validation frames.
        test: on test frames.
        chance: of always saying the class with the most training frames, on test frames.
        features: what the forest sees.
    """

    validation: Figure
    test: Figure
    chance: Figure
    features: tuple[str, ...]


def file_features(sample: Sample) -> NDArray[np.float64]:
    """Returns `FEATURES` of a sample's file, float64 (10,)."""
    gray = to_gray(read_image(sample.image))
    height, width = gray.shape
    rows, columns = gray.max(axis=1) <= _BLACK, gray.max(axis=0) <= _BLACK
    borders = [_run(side) for side in (rows, rows[::-1], columns, columns[::-1])]
    across = np.abs(np.diff(gray.astype(np.float64), axis=1)).mean(axis=0)
    down = np.abs(np.diff(gray.astype(np.float64), axis=0)).mean(axis=1)
    # JPEG codes blocks of 8 x 8: its traces are larger steps from one block to the next
    at_blocks = across[7::8].mean() + down[7::8].mean()
    steps = at_blocks / max(1e-6, across.mean() + down.mean())
    size = sample.image.stat().st_size / (height * width)
    return np.asarray(
        [height, width, *borders, size, steps, len(np.unique(gray)), int(gray.max())], np.float64
    )


def shortcut_scores(samples: Sequence[Sample]) -> ShortcutScores | None:
    """Returns what the form of the files tells, or None where the frames cannot carry it.

    Args:
        samples: frames with a plane, of all splits.
    """
    by_split = {split: [s for s in samples if s.split is split] for split in Split}
    train = by_split[Split.TRAIN]
    planes = [-1 if sample.plane is None else sample.plane for sample in train]
    if len(set(planes)) < 2:
        return None
    forest = RandomForestClassifier(
        _TREES, min_samples_leaf=2, class_weight="balanced", random_state=0
    )
    forest.fit(np.stack([file_features(sample) for sample in train]), planes)
    validation, test = (_score(forest, by_split[split]) for split in (Split.VALIDATION, Split.TEST))
    commonest = max(sorted(set(planes)), key=planes.count)
    chance = _figure(by_split[Split.TEST], [commonest] * len(by_split[Split.TEST]))
    if validation is None or test is None or chance is None:
        return None
    return ShortcutScores(validation, test, chance, FEATURES)


def _run(black: NDArray[np.bool_]) -> float:
    """Returns the share of lines that are black from the first on."""
    return float(len(black) if black.all() else np.argmin(black)) / len(black)


def _score(forest: RandomForestClassifier, samples: Sequence[Sample]) -> Figure | None:
    if not samples:
        return None
    guess = forest.predict(np.stack([file_features(sample) for sample in samples]))
    return _figure(samples, [int(plane) for plane in guess])


def _figure(samples: Sequence[Sample], guess: Sequence[int]) -> Figure | None:
    truth = [-1 if sample.plane is None else sample.plane for sample in samples]
    return f1_figure(truth, guess, [group_of(sample) for sample in samples], FOUR)
