"""What came out for each frame, run through the cart's own pipeline in source resolution."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.cache import draw_mask, outline_ellipse
from distill.data.planes import PLANES
from distill.data.sample import Sample
from distill.evaluation.bank import bank_ga_days, is_zero_shot
from fetalclip_edge.errors import ImageError
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox
from fetalclip_edge.result import Classification, Result, Structure
from fetalclip_edge.sources.images import read_image

NONE_OF_THEM = len(PLANES)
"""A class that is none of `PLANES`."""

NO_HEAD = Structure("head", score=0.0, geometry=None)
"""What a bundle that outlines no head says of it."""

_SAME_PLANE = {"heart": "thorax"}
"""FetalCLIP's prompts call the thorax plane after the heart that it shows."""


class Pipeline(Protocol):
    """What is evaluated: a session, or anything that answers like one."""

    def process(self, frame: Frame, *, want_masks: bool = False) -> Result:
        """Returns the result for one frame."""
        ...  # pragma: no cover


@dataclass(frozen=True, slots=True)
class Overlap:
    """Pixels of a true and a predicted mask.

    Attributes:
        both: pixels in both.
        true: pixels of the true mask.
        predicted: pixels of the predicted mask.
    """

    both: int
    true: int
    predicted: int

    @property
    def dsc(self) -> float:
        """Dice coefficient, in [0, 1]."""
        return 2.0 * self.both / max(1, self.true + self.predicted)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The plane that one classification says.

    Attributes:
        head: name of the head or text bank.
        plane: index of the plane, or `NONE_OF_THEM`.
        known: indices of the planes that it can say.
        zero_shot: a text bank says it.
    """

    head: str
    plane: int
    known: tuple[int, ...]
    zero_shot: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out for one frame.

    Attributes:
        sample: the frame with its truth.
        plane: index of the plane that the plane head says; `NONE_OF_THEM` without such a head.
        confidence: its score, in [0, 1].
        verdicts: what each classification over planes says, in the bundle's order.
        overlap: with the true mask, or None where there is no true mask.
        hc_mm: measured HC, or None.
        score: probability inside the mask, in [0, 1].
        fit_residual: see `Structure`.
        border_fraction: see `Structure`.
        bank_ga_days: gestational age by the bundle's text bank, or None.
        embedding: float32 (D,).
    """

    sample: Sample
    plane: int
    confidence: float
    verdicts: tuple[Verdict, ...]
    overlap: Overlap | None
    hc_mm: float | None
    score: float
    fit_residual: float
    border_fraction: float
    bank_ga_days: float | None
    embedding: NDArray[np.float32] = field(repr=False, compare=False)


def run_sample(pipeline: Pipeline, sample: Sample, index: int = 0) -> tuple[Frame, Result]:
    """Returns a sample as a frame, and what the pipeline says of it.

    A frame without a spacing is given 0.1 mm, so that whether its head would be measured can be
    seen; a value in mm then means nothing but that.
    """
    spacing = sample.spacing_mm or 0.1
    scale = Scale((spacing, spacing), ScaleOrigin.SOURCE)
    frame = Frame(read_image(sample.image), index=index, geometry_epoch=index, scale=scale)
    return frame, pipeline.process(frame, want_masks=sample.outline is not None)


def evaluate(pipeline: Pipeline, samples: Iterable[Sample]) -> list[Outcome]:
    """Runs every sample through the pipeline; see `run_sample`."""
    return [_outcome(pipeline, sample, index) for index, sample in enumerate(samples)]


def _outcome(pipeline: Pipeline, sample: Sample, index: int) -> Outcome:
    result = run_sample(pipeline, sample, index)[1]
    plane, hc = result.plane, result.measurement("HC")
    head = next((item for item in result.structures if item.name == "head"), NO_HEAD)
    return Outcome(
        sample=sample,
        plane=NONE_OF_THEM if plane is None else plane_index(plane.label),
        confidence=0.0 if plane is None else plane.confidence,
        verdicts=tuple(
            verdict
            for item in result.classifications
            if len((verdict := verdict_of(item)).known) > 1
        ),
        overlap=None if head.mask is None else _overlap(sample, head.mask),
        hc_mm=None if hc is None else hc.value_mm,
        score=head.score,
        fit_residual=head.fit_residual,
        border_fraction=head.border_fraction,
        bank_ga_days=None if sample.spacing_mm is None else bank_ga_days(result),
        embedding=result.embedding,
    )


def plane_index(label: str) -> int:
    """Returns the place of a class in `PLANES`, or `NONE_OF_THEM`."""
    name = _SAME_PLANE.get(label, label)
    return PLANES.index(name) if name in PLANES else NONE_OF_THEM


def verdict_of(item: Classification) -> Verdict:
    """Returns the plane that a classification says."""
    places = {plane_index(name) for name, _ in item.scores} - {NONE_OF_THEM}
    return Verdict(item.head, plane_index(item.label), tuple(sorted(places)), is_zero_shot(item))


def true_mask(sample: Sample) -> NDArray[np.bool_]:
    """Returns the head of a sample with an outline, bool (H, W) in its own pixels.

    Raises:
        ImageError: the outline cannot be read.
    """
    outline = cv2.imread(str(sample.outline), cv2.IMREAD_GRAYSCALE)
    if outline is None:
        raise ImageError(
            f"{sample.outline}", expected="an image", arrived="something that cannot be decoded"
        )
    size_hw = (outline.shape[0], outline.shape[1])
    letterbox = Letterbox(Roi.full(size_hw), max(size_hw))  # the source's own pixels, padded
    square = draw_mask(outline_ellipse(np.asarray(outline, np.uint8)), letterbox)
    left, top = letterbox.offset_uv
    return np.asarray(square[top : top + size_hw[0], left : left + size_hw[1]] > 127)


def _overlap(sample: Sample, mask: NDArray[np.uint8]) -> Overlap:
    truth, inside = true_mask(sample), mask > 127
    return Overlap(int((truth & inside).sum()), int(truth.sum()), int(inside.sum()))
