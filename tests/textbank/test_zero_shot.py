"""Scores and ages against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fetalclip_edge.frame import Scale, ScaleOrigin
from fetalclip_edge.geometry import Roi
from fetalclip_edge.result import GestationalAge
from fetalclip_edge.textbank.entry import DayGrid, SpacingGrid
from fetalclip_edge.textbank.zero_shot import age_by_text, classify_by_text
from tests.textbank.builder import age_bank, plane_bank

ONE = np.ones(1, np.float32)
ROI = Roi(10, 20, 448, 300)


def test_softmax_of_scaled_cosines_by_hand() -> None:
    bank, _ = plane_bank(logit_scale=10.0)
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    said = classify_by_text(bank, vectors, np.array([0.6, 0.8], np.float32))
    # logits 6, 8 and 10: exp(-4), exp(-2) and 1 over their sum, 1.153651
    assert [name for name, _ in said.scores] == ["brain", "heart", "kidney"]
    assert [score for _, score in said.scores] == pytest.approx(
        [0.015876, 0.117310, 0.866813], abs=2e-6
    )
    assert (said.head, said.kind, said.label) == ("words", "zero-shot", "kidney")
    assert said.confidence == said.scores[2][1]


def age(
    dots: NDArray[np.float32], spacing_mm: tuple[float, float] | None, roi: Roi = ROI
) -> GestationalAge:
    """Returns the age where the dot products are given, (spacings, 20 days)."""
    bank, _ = age_bank(
        days=DayGrid(first_ga_days=100, count=20),
        spacings=SpacingGrid(first_mm=0.2, step_mm=0.01, count=len(dots)),
    )
    scale = None if spacing_mm is None else Scale(spacing_mm, ScaleOrigin.USER)
    return age_by_text(bank, dots.reshape(-1, 1), ONE, roi, scale)


def dots_without(*low: int) -> NDArray[np.float32]:
    dots = np.linspace(0.9, 1.0, 20, dtype=np.float32)
    dots[list(low)] = 0.1
    return dots


def test_the_middle_one_of_fifteen_by_hand() -> None:
    # left are 3 4 5 6 7 8 9 [11] 12 13 14 15 16 17 18: the eighth, not the best and not the mean
    dots = dots_without(0, 1, 2, 10, 19)
    assert age(dots[None], (0.1, 0.1)) == GestationalAge("ages", 111)
    # left are 0 to 14, and 7 in their middle: of equal days the earlier ones count
    assert age(np.zeros((1, 20), np.float32), (0.1, 0.1)) == GestationalAge("ages", 107)


def test_the_spacing_is_that_of_the_region_on_the_teachers_side() -> None:
    # 448 px shown on 224: 0.1 mm becomes 0.20 mm, 0.105 mm becomes 0.21 mm
    dots = np.stack([dots_without(0, 1, 2, 10, 19), dots_without(15, 16, 17, 18, 19)])
    assert age(dots, (0.1, 0.1)).ga_days == 111
    assert age(dots, (0.105, 0.105)).ga_days == 107
    # of a region the longest side counts, wherever it lies
    assert age(dots, (0.1, 0.1), Roi(0, 0, 100, 470)).ga_days == 107


@pytest.mark.parametrize(
    ("spacing_mm", "reason"),
    [
        (None, "scale unknown"),
        ((0.0974, 0.0974), "spacing outside the text bank"),  # 0.1948 mm, below 0.195
        ((0.1076, 0.1076), "spacing outside the text bank"),  # 0.2152 mm, above 0.215
        ((0.1, 0.11), "pixels not square"),
    ],
)
def test_withheld(spacing_mm: tuple[float, float] | None, reason: str) -> None:
    got = age(np.ones((2, 20), np.float32), spacing_mm)
    assert got == GestationalAge("ages", withheld_reason=reason)


def test_an_embedding_that_is_no_number_gives_no_age() -> None:
    dots = np.full((1, 20), np.nan, np.float32)
    assert age(dots, (0.1, 0.1)) == GestationalAge("ages", withheld_reason="embedding not finite")


def test_half_a_step_beyond_the_ends_still_rounds_into_the_bank() -> None:
    for spacing_mm in (0.0976, 0.1074):
        assert age(np.ones((2, 20), np.float32), (spacing_mm, spacing_mm)).ga_days == 107


@given(st.floats(0.01, 10), st.floats(0.001, 1), st.integers(1, 60), st.floats(0.001, 80))
def test_nearest_is_nearest(first: float, step: float, count: int, spacing: float) -> None:
    grid = SpacingGrid(first_mm=first, step_mm=step, count=count)
    off = [abs(spacing - value) for value in grid.values_mm()]
    place = grid.nearest(spacing)
    if place is None:
        assert min(off) >= step / 2 * (1 - 1e-9)
    else:
        assert off[place] <= min(off) + 1e-9
        assert off[place] <= step / 2 * (1 + 1e-9)


@pytest.mark.parametrize("fields", [{}, {"ga_days": 140, "withheld_reason": "x"}])
def test_an_age_has_a_value_or_a_reason(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a value or a reason"):
        GestationalAge("ages", **fields)  # type: ignore[arg-type]
