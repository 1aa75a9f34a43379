"""Prompts to vectors, by a teacher's text tower."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from distill.prompts.prompt_file import ClassPrompts
from fetalclip_edge.errors import InputError
from fetalclip_edge.textbank.entry import DayGrid, SpacingGrid

AGE_FIELDS = ("{weeks}", "{days}", "{spacing_mm}")

Progress = Callable[[Sequence[float]], Iterable[float]]
"""Passes spacings through, showing how many are done."""


class TextTower(Protocol):
    """The part of `distill.teacher.teacher.Teacher` that prompts need."""

    logit_scale: float

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def licence(self) -> str:
        """Licence of its weights."""

    @property
    def stand_in(self) -> bool:
        """Whether it takes FetalCLIP's place."""

    @property
    def space(self) -> str:
        """Name of its embedding space."""

    @property
    def prompt_size_px(self) -> int:
        """Side of its image input."""

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Returns float32 (N, D), L2-normalised."""


def class_vectors(tower: TextTower, classes: Sequence[ClassPrompts]) -> NDArray[np.float32]:
    """Returns one unit vector a class, float32 (C, D): the normalised mean of its prompts.

    Prompt ensembling of Radford et al., Learning Transferable Visual Models From Natural
    Language Supervision, ICML 2021.
    """
    means = np.stack([_mean(tower, item.prompts) for item in classes])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)


def age_vectors(
    tower: TextTower,
    templates: Sequence[str],
    days: DayGrid,
    spacings: SpacingGrid,
    progress: Progress = iter,
) -> NDArray[np.float32]:
    """Returns one vector for each spacing and day, float32 (spacings * days, D).

    FetalCLIP averages the dot products with each template's unit vector (Maani et al., arXiv
    2502.14807). A mean of dot products is the dot product with the mean, so the mean is all that
    is kept; normalising it would weigh days by how well their templates agree.

    Raises:
        InputError: a template does not name weeks, days and spacing.
    """
    for template in templates:
        _check_template(template)
    rows: list[NDArray[np.float32]] = []
    for spacing_mm in progress(spacings.values_mm()):
        prompts = [
            age_prompt(template, days.first_ga_days + day, spacing_mm)
            for day in range(days.count)
            for template in templates
        ]
        encoded = _encode(tower, prompts).reshape(days.count, len(templates), -1)
        rows.append(encoded.mean(axis=1).astype(np.float32))
    return np.concatenate(rows)


def age_prompt(template: str, ga_days: int, spacing_mm: float) -> str:
    """Returns the template filled with whole weeks, the days beyond, and mm with two decimals."""
    values = (f"{ga_days // 7}", f"{ga_days % 7}", f"{spacing_mm:.2f}")
    # not str.format, which lets a foreign template reach into objects
    for field, value in zip(AGE_FIELDS, values, strict=True):
        template = template.replace(field, value)
    return template


def _check_template(template: str) -> None:
    if sorted(re.findall(r"\{[^}]*\}", template)) != sorted(AGE_FIELDS):
        raise InputError(
            f"template {template[:60]!r}",
            expected=f"each of {', '.join(AGE_FIELDS)} once, and no other braces",
            remedy="See gestational_age.json beside the project's own prompts",
        )


def _mean(tower: TextTower, prompts: Sequence[str]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = _encode(tower, prompts).mean(axis=0)
    return mean


def _encode(tower: TextTower, prompts: Sequence[str]) -> NDArray[np.float64]:
    return np.asarray(tower.encode_text(prompts).cpu().numpy(), np.float64)
