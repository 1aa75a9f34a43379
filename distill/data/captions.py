"""Captions of a frame, written from what is known of it: for image-text pairs.

FETAL_PLANES_DB knows the plane, HC18 also the head circumference and the pixel spacing; the age
follows from the circumference. What a standard plane shows is named as its definition has it, not
as seen in the frame. As in FetalCLIP's prompts (Maani et al., arXiv 2502.14807) ages are whole
weeks and days, and a spacing is that of the picture at the side that the model sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distill.data.gestational_age import HC_RANGE_MM, ga_days_from_hc
from distill.data.planes import PLANES
from fetalclip_edge.errors import InputError

_SUBJECTS: dict[str, tuple[str, ...]] = {
    "brain": (
        "fetal head",
        "fetal brain",
        "brain of a fetus in axial section",
        "fetal head with the skull as an oval around both hemispheres",
        "midline echo, thalami and cavum septi pellucidi of a fetus",
        "transventricular or transthalamic plane of the fetal brain",
        "head of an unborn child, cut across",
        "head plane for the biparietal diameter and the head circumference",
    ),
    "abdomen": (
        "fetal abdomen",
        "belly of a fetus in axial section",
        "fetal abdomen with stomach bubble and umbilical vein",
        "round cross section of the fetal trunk with liver and spine",
        "abdomen of an unborn child, cut across",
        "abdominal plane for the abdominal circumference of a fetus",
    ),
    "femur": (
        "fetal femur",
        "thigh bone of a fetus in long axis",
        "bright shaft of the fetal femur with the shadow below it",
        "leg of a fetus with the ossified femoral diaphysis",
        "femur of an unborn child from end to end",
        "thigh plane for the femur length of a fetus",
    ),
    "thorax": (
        "fetal thorax",
        "fetal heart with its four chambers",
        "chest of a fetus in axial section with heart, lungs and ribs",
        "four-chamber view: atria, ventricles and septum of a fetus",
        "heart of an unborn child inside the chest",
        "thoracic plane at the level of the fetal heart",
    ),
    "cervix": (
        "maternal cervix",
        "uterine cervix of the mother in long axis",
        "cervical canal between inner and outer os, transvaginal",
        "cervix of a pregnant woman for its length",
    ),
    "other": (
        "other fetal view, no standard plane",
        "part of a fetus outside the standard planes",
        "fetal or placental structure that is not measured",
    ),
}
_UNKNOWN = ("obstetric view", "view of a fetus")
_LEADS = (
    "{} on ultrasound",
    "ultrasound of the {}",
    "a sonogram: {}",
    "{}, ultrasound image",
    "{}",
    "B-mode picture that shows the {}",
)
_AGES = (
    "at {weeks} weeks and {days} days",
    "gestational age {weeks} weeks {days} days",
    "{weeks} weeks and {days} days into pregnancy",
    "fetus of {weeks} weeks {days} days",
    "aged {weeks} weeks and {days} days",
)
_EARLY = ("before 14 weeks", "gestational age below 14 weeks", "in the first trimester")
_CIRCUMFERENCES = (
    "head circumference {hc} mm",
    "HC of {hc} mm",
    "the head measures {hc} mm around",
)
_SPACINGS = (
    "pixel spacing {spacing} mm",
    "{spacing} mm per pixel",
    "{spacing} mm a pixel",
    "one pixel is {spacing} mm",
    "scale {spacing} mm per pixel",
)
_P_AGE, _P_CIRCUMFERENCE, _P_SPACING = 0.75, 0.35, 0.75
"""How often a fact that is known is named: often enough to be learnt, and not always, so that
a caption without it is a caption too."""


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """What is known of one view of a frame.

    Attributes:
        plane: one of `PLANES`, or None.
        hc_mm: head circumference, or None.
        spacing_mm: pixel spacing once the view is shrunk to the model's side, or None; see
            `prompt_spacing_mm`.
    """

    plane: str | None = None
    hc_mm: float | None = None
    spacing_mm: float | None = None

    def __post_init__(self) -> None:
        if self.plane is not None and self.plane not in PLANES:
            raise InputError("plane", expected=" or ".join(PLANES), arrived=repr(self.plane))
        for what, value in (("HC", self.hc_mm), ("pixel spacing", self.spacing_mm)):
            if value is not None and not 0.0 < value < 1000.0:
                raise InputError(
                    what, expected="more than 0 and less than 1000 mm", arrived=f"{value}"
                )


def prompt_spacing_mm(
    spacing_mm: float, size_hw: tuple[int, int], prompt_size_px: int, zoom: float = 1.0
) -> float:
    """Returns the pixel spacing that a prompt names: max(H, W) / side of the model x spacing.

    Args:
        spacing_mm: of the region's square pixels.
        size_hw: rows and columns of the region.
        prompt_size_px: side of the model's input.
        zoom: size of the content in the view over its size in the frame.
    """
    return max(size_hw) / prompt_size_px * spacing_mm / zoom


def caption(facts: FrameFacts, generator: np.random.Generator) -> str:
    """Returns one caption; the same state of the generator gives the same words.

    Args:
        facts: what may be said.
        generator: chooses the words, and which of the facts are named.
    """
    subject = _pick(_SUBJECTS[facts.plane] if facts.plane else _UNKNOWN, generator)
    parts = [_pick(_LEADS, generator).format(subject)]
    if facts.hc_mm is not None and generator.random() < _P_AGE:
        parts.append(_age(facts.hc_mm, generator))
    if facts.hc_mm is not None and generator.random() < _P_CIRCUMFERENCE:
        parts.append(_pick(_CIRCUMFERENCES, generator).format(hc=round(facts.hc_mm)))
    if facts.spacing_mm is not None and generator.random() < _P_SPACING:
        parts.append(_pick(_SPACINGS, generator).format(spacing=f"{facts.spacing_mm:.2f}"))
    return ", ".join(parts)


def _age(hc_mm: float, generator: np.random.Generator) -> str:
    low, high = HC_RANGE_MM
    if hc_mm < low:
        return _pick(_EARLY, generator)
    weeks, days = divmod(round(ga_days_from_hc(min(hc_mm, high))), 7)
    return _pick(_AGES, generator).format(weeks=weeks, days=days)


def _pick(options: Sequence[str], generator: np.random.Generator) -> str:
    return options[int(generator.integers(len(options)))]
