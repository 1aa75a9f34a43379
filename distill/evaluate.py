"""Held-out figures of a model, measured through the cart's own pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from distill.data.cache import draw_mask, outline_ellipse
from distill.data.planes import PLANES
from distill.data.sample import Sample
from distill.score import FOUR_CLASSES, macro_f1
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox
from fetalclip_edge.result import Result
from fetalclip_edge.sources.images import read_image


class Pipeline(Protocol):
    """What is evaluated: a session, or anything that answers like one."""

    def process(self, frame: Frame, *, want_masks: bool = False) -> Result:
        """Returns the result for one frame."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out for one frame.

    Attributes:
        sample: the frame with its truth.
        plane: index of the plane that was said, and its confidence in [0, 1].
        confidence: see `plane`.
        dsc: Dice coefficient of the mask, or None where there is no true mask.
        hc_mm: measured HC, or None.
        score: probability inside the mask, in [0, 1].
        fit_residual: see `Structure`.
        border_fraction: see `Structure`.
    """

    sample: Sample
    plane: int
    confidence: float
    dsc: float | None
    hc_mm: float | None
    score: float
    fit_residual: float
    border_fraction: float


def evaluate(pipeline: Pipeline, samples: Iterable[Sample]) -> list[Outcome]:
    """Runs every sample through the pipeline, in source resolution.

    A frame without a spacing is given 0.1 mm, so that whether its head would be measured can be
    seen; its `hc_mm` then means nothing but that.
    """
    outcomes = []
    for index, sample in enumerate(samples):
        pixels = read_image(sample.image)
        spacing = sample.spacing_mm or 0.1
        scale = Scale((spacing, spacing), ScaleOrigin.SOURCE)
        frame = Frame(pixels, index=index, geometry_epoch=index, scale=scale)
        result = pipeline.process(frame, want_masks=sample.outline is not None)
        plane, hc, head = result.plane, result.measurement("HC"), result.structures[0]
        outcomes.append(
            Outcome(
                sample=sample,
                plane=-1 if plane is None else PLANES.index(plane.label),
                confidence=0.0 if plane is None else plane.confidence,
                dsc=None if head.mask is None else _dsc(sample, head.mask),
                hc_mm=None if hc is None else hc.value_mm,
                score=head.score,
                fit_residual=head.fit_residual,
                border_fraction=head.border_fraction,
            )
        )
    return outcomes


def _dsc(sample: Sample, mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    outline = cv2.imread(str(sample.outline), cv2.IMREAD_GRAYSCALE)
    if outline is None:
        raise ValueError(f"{sample.outline} cannot be read")
    size_hw = (outline.shape[0], outline.shape[1])
    letterbox = Letterbox(Roi.full(size_hw), max(size_hw))  # the source's own pixels, padded
    square = draw_mask(outline_ellipse(np.asarray(outline, np.uint8)), letterbox)
    left, top = letterbox.offset_uv
    truth = square[top : top + size_hw[0], left : left + size_hw[1]] > 127
    inside = mask > 127
    return 2.0 * float((truth & inside).sum()) / max(1.0, float(truth.sum() + inside.sum()))


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean with its 95 % bootstrap interval over frames.

    Attributes:
        value: the figure.
        low: lower bound.
        high: upper bound.
        n: frames it was measured on.
    """

    value: float
    low: float
    high: float
    n: int


def mean_figure(values: list[float], seed: int = 0, rounds: int = 2000) -> Figure:
    """Returns the mean with a percentile bootstrap interval (Efron, Ann. Stat. 7(1), 1979)."""
    data = np.asarray(values)
    draws = np.random.default_rng(seed).integers(0, len(data), (rounds, len(data)))
    low, high = np.percentile(data[draws].mean(axis=1), [2.5, 97.5])
    return Figure(float(data.mean()), float(low), float(high), len(data))


def f1_figure(outcomes: list[Outcome], seed: int = 0, rounds: int = 1000) -> Figure:
    """Returns macro F1 over the four statistical classes of FETAL_PLANES_DB, with its interval."""
    four = tuple(PLANES.index(name) for name in FOUR_CLASSES)
    pairs = [(o.sample.plane, o.plane) for o in outcomes if o.sample.plane in four]
    truth = [int(t) for t, _ in pairs if t is not None]
    guess = [g for _, g in pairs]
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        rows = generator.integers(0, len(pairs), len(pairs))
        values.append(macro_f1([truth[r] for r in rows], [guess[r] for r in rows], four))
    low, high = np.percentile(values, [2.5, 97.5])
    return Figure(macro_f1(truth, guess, four), float(low), float(high), len(pairs))
