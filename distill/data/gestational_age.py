"""Gestational age from the head circumference.

INTERGROWTH-21st: A. T. Papageorghiou et al., Ultrasound Obstet Gynecol 48: 719-726, 2016.
"""

from __future__ import annotations

import math

from fetalclip_edge.errors import InputError

HC_RANGE_MM = (96.0, 350.0)
"""14 weeks to 40 weeks: the fetuses that the formula was fitted to, and no smaller ones."""


def intergrowth_ga_days(hc_mm: float) -> float:
    """Returns the age in days: exp(0.05970 ln^2 HC + 6.409e-9 HC^3 + 3.3258), HC in mm."""
    return math.exp(0.05970 * math.log(hc_mm) ** 2 + 6.409e-9 * hc_mm**3 + 3.3258)


def ga_days_from_hc(hc_mm: float) -> float:
    """Returns the age in days of a head that the formula was fitted to.

    Raises:
        InputError: the head lies outside `HC_RANGE_MM`.
    """
    low, high = HC_RANGE_MM
    if not low <= hc_mm <= high:
        raise InputError(
            "head circumference for an age",
            expected=f"{low:g} to {high:g} mm",
            arrived=f"{hc_mm:g} mm",
        )
    return intergrowth_ga_days(hc_mm)
