"""Head circumference and gestational age: published curves, and what follows from them.

WHO: T. Kiserud et al., PLoS Med 14(1): e1002220, 2017.
"""

from __future__ import annotations

import csv
from enum import Enum
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from distill.data.gestational_age import intergrowth_ga_days

_TABLE = Path(__file__).with_name("who_head_circumference.csv")

GA_DAYS_RANGE = (98, 280)
"""Days for which the WHO curves hold: 14 to 40 weeks."""

HC_MM_RANGE = (100.0, 342.0)
"""Circumferences that are dated: the WHO median from 14 to 40 weeks."""


class Trimester(str, Enum):
    """Third of a pregnancy: to 13w6d, to 27w6d, and after."""

    FIRST = "first"
    SECOND = "second"
    THIRD = "third"

    @classmethod
    def of(cls, hc_mm: float) -> Trimester:
        """Returns the trimester of a circumference by its INTERGROWTH-21st age.

        Below 14 weeks the formula goes beyond its data; that it is below is all that counts.
        """
        weeks = intergrowth_ga_days(hc_mm) / 7.0
        return cls.FIRST if weeks < 14 else cls.SECOND if weeks < 28 else cls.THIRD


def who_hc_mm(quantile: float, ga_days: ArrayLike) -> NDArray[np.float64]:
    """Returns a WHO quantile of HC in mm: exp(b0 + b1 t + b2 t^2 + b3 t^3 + b4 t^4), t in weeks.

    Args:
        quantile: 0.025, 0.5 or 0.975.
        ga_days: days; outside `GA_DAYS_RANGE` the result is NaN.
    """
    days = np.asarray(ga_days, np.float64)
    held = (days >= GA_DAYS_RANGE[0]) & (days <= GA_DAYS_RANGE[1])
    weeks = np.where(held, days / 7.0, np.nan)
    return np.asarray(np.exp(np.polynomial.polynomial.polyval(weeks, _coefficients()[quantile])))


def who_ga_days(hc_mm: float) -> float:
    """Returns the age in days at which `hc_mm` is the WHO median; NaN outside the curve."""
    days = np.linspace(*GA_DAYS_RANGE, 1821)  # steps of 0.1 day
    return float(np.interp(hc_mm, who_hc_mm(0.5, days), days, left=np.nan, right=np.nan))


@cache
def _coefficients() -> dict[float, tuple[float, ...]]:
    with _TABLE.open(newline="") as file:
        lines = (line for line in file if not line.startswith("#"))
        return {
            float(row["quantile"]): tuple(float(row[f"b{k}"]) for k in range(5))
            for row in csv.DictReader(lines)
        }
