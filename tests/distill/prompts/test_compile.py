"""Averaging against its definition, prompt by prompt."""

from __future__ import annotations

import numpy as np
import pytest

from distill.prompts.compile import age_prompt, age_vectors, class_vectors
from distill.prompts.prompt_file import ClassPrompts
from fetalclip_edge.errors import InputError
from fetalclip_edge.textbank.entry import DayGrid, SpacingGrid
from tests.distill.prompts.towers import RandomTower
from tests.textbank.builder import unit_rows

TEMPLATES = (
    "a {weeks} w {days} d at {spacing_mm}",
    "b {spacing_mm} mm, {weeks}+{days}",
    "c {days} {weeks} {spacing_mm}",
)
DAYS = DayGrid(first_ga_days=98, count=20)
SPACINGS = SpacingGrid(first_mm=0.29, step_mm=0.01, count=3)


def test_a_class_is_the_normalised_mean_of_normalised_prompts() -> None:
    tower = RandomTower()
    classes = [ClassPrompts("brain", ("x", "y", "z")), ClassPrompts("femur", ("u",))]
    got = class_vectors(tower, classes)
    x, y, z, u = tower.encode_text(["x", "y", "z", "u"]).double().numpy()
    total = x + y + z
    np.testing.assert_allclose(got[0], total / np.sqrt((total**2).sum()), atol=1e-7)
    np.testing.assert_allclose(got[1], u, atol=1e-7)
    assert got.dtype == np.float32


def test_a_dot_with_the_mean_is_the_mean_of_the_dots() -> None:
    tower, image = RandomTower(), unit_rows(1, seed=3)[0]
    got = age_vectors(tower, TEMPLATES, DAYS, SPACINGS) @ image
    place = 0
    for spacing in ("0.29", "0.30", "0.31"):
        for day in range(98, 118):
            words = [
                f"a {day // 7} w {day % 7} d at {spacing}",
                f"b {spacing} mm, {day // 7}+{day % 7}",
                f"c {day % 7} {day // 7} {spacing}",
            ]
            dots = tower.encode_text(words).double().numpy() @ image.astype(np.float64)
            assert got[place] == pytest.approx(dots.mean(), abs=2e-7)
            place += 1
    assert len(got) == place


def test_a_prompt_by_hand() -> None:
    assert age_prompt("{weeks}w{days}d {spacing_mm}", 272, 0.07) == "38w6d 0.07"
    assert age_prompt("{spacing_mm} {days} {weeks}", 98, 1.2) == "1.20 0 14"


@pytest.mark.parametrize(
    "template",
    [
        "{weeks} {days}",
        "{weeks} {days} {spacing_mm} {spacing_mm}",
        "{weeks} {days} {spacing_mm} {0}",
        "{weeks.__class__} {weeks} {days} {spacing_mm}",
        "20 weeks",
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    tower = RandomTower()
    with pytest.raises(InputError, match=r"each of \{weeks\}, \{days\}, \{spacing_mm\} once"):
        age_vectors(tower, [TEMPLATES[0], template], DAYS, SPACINGS)
    assert tower.asked == []
