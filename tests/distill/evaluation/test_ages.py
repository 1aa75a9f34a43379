"""Growth curves and VPR against values worked out by hand."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.gestational_age import intergrowth_ga_days
from distill.data.hc18 import load_hc18
from distill.evaluation.ages import (
    GRID_GA_DAYS,
    age_scores,
    best_constant_ga_days,
    is_dated,
    is_valid,
)
from distill.evaluation.growth import (
    GA_DAYS_RANGE,
    HC_MM_RANGE,
    Trimester,
    who_ga_days,
    who_hc_mm,
)
from tests.distill.evaluation.made import head


def test_who_quantiles_at_20_weeks_by_hand() -> None:
    # ln HC = 5.056282, 5.155536 and 5.238858
    found = [float(who_hc_mm(quantile, 140)) for quantile in (0.025, 0.5, 0.975)]
    assert found == pytest.approx([157.01, 173.39, 188.45], abs=0.01)


def test_intergrowth_dates_its_own_mean() -> None:
    assert intergrowth_ga_days(172.5) == pytest.approx(140, abs=0.5)


@given(st.floats(*HC_MM_RANGE))
def test_the_who_age_is_the_inverse_of_the_median(hc_mm: float) -> None:
    days = who_ga_days(hc_mm)
    assert GA_DAYS_RANGE[0] <= days <= GA_DAYS_RANGE[1]
    assert float(who_hc_mm(0.5, days)) == pytest.approx(hc_mm, abs=0.02)


def test_outside_the_curve_there_is_no_age() -> None:
    assert math.isnan(who_ga_days(60.0))
    assert math.isnan(who_ga_days(400.0))
    assert math.isnan(float(who_hc_mm(0.5, 90)))


@pytest.mark.parametrize(
    ("hc_mm", "trimester"), [(60, "first"), (97, "first"), (100, "second"), (280, "third")]
)
def test_a_trimester_follows_from_hc(hc_mm: float, trimester: str) -> None:
    assert Trimester.of(hc_mm).value == trimester


@pytest.mark.parametrize(
    ("hc_mm", "ga_days", "valid"),
    [
        (157.5, 140, True),
        (156.5, 140, False),
        (188.0, 140, True),
        (189.0, 140, False),
        (173.0, None, False),
        (173.0, 300, False),
    ],
)
def test_valid_is_between_the_quantiles(hc_mm: float, ga_days: int | None, valid: bool) -> None:
    assert is_valid(hc_mm, ga_days) is valid


def test_the_grid_is_the_published_one() -> None:
    assert (GRID_GA_DAYS[0], GRID_GA_DAYS[-1], len(GRID_GA_DAYS)) == (98, 272, 175)


def test_vpr_on_a_toy_table() -> None:
    heads = [
        head(true_hc_mm=158.0, hc_mm=None, ga_days=140.0, number=1),  # valid
        head(true_hc_mm=150.0, hc_mm=150.0, ga_days=140.0, number=2),  # too small for its age
        head(true_hc_mm=170.0, hc_mm=170.0, ga_days=None, number=3),  # no age
        head(true_hc_mm=188.0, hc_mm=188.0, ga_days=140.0, number=4),  # valid
        head(true_hc_mm=90.0, hc_mm=90.0, ga_days=100.0, number=5),  # not dated
    ]
    bank, intergrowth, who, constant = age_scores(heads, [170.0, 173.0, 180.0], stand_in=True)
    assert (bank.name, bank.vpr.value, bank.vpr.n, bank.stand_in) == ("text bank", 0.5, 4, True)
    assert bank.days is not None
    assert bank.mm is not None
    # WHO median at 20w0d is 173.39: 15.39, 23.39 and -14.61 mm off
    assert bank.mm.bias.value == pytest.approx((15.39 + 23.39 - 14.61) / 3, abs=0.01)
    assert bank.days.bias.value == pytest.approx(
        sum(140 - who_ga_days(mm) for mm in (158.0, 150.0, 188.0)) / 3
    )
    assert who.vpr.value == intergrowth.vpr.value == 0.75  # one head was not measured
    assert who.days is not None
    assert who.days.mean_abs.value == pytest.approx(0.0, abs=0.01)
    assert constant.name.startswith("constant guess")
    assert not constant.stand_in
    assert age_scores(heads[-1:], [170.0]) == ()


def test_the_constant_is_the_middle_of_the_best_days_of_the_training_frames() -> None:
    day = best_constant_ga_days([170.0, 171.0, 250.0, 90.0])
    both = [d for d in GRID_GA_DAYS if is_valid(170.0, d) and is_valid(171.0, d)]
    assert day == both[len(both) // 2]
    assert both[0] < day < both[-1]


def test_the_published_constant_guess_comes_out_on_hc18() -> None:
    folder = os.environ.get("FETALCLIP_EDGE_DATA")
    if not folder:
        pytest.skip("FETALCLIP_EDGE_DATA is not set: real circumferences are missing")
    found = [sample.hc_mm for sample in load_hc18(Path(folder) / "hc18")]
    dated = [hc for hc in found if hc is not None and is_dated(hc)]
    day = best_constant_ga_days(dated)
    assert day == 20 * 7 + 1
    # 59.1 % of 814 frames are published; here are about four fifths of them
    assert sum(is_valid(hc, day) for hc in dated) / len(dated) == pytest.approx(0.591, abs=0.02)
