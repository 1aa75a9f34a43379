"""What a bundle's text bank says, where the bundle has one."""

from __future__ import annotations

from fetalclip_edge.bundle.manifest import Manifest
from fetalclip_edge.result import ZERO_SHOT, Classification, Result


def bank_ga_days(result: Result) -> float | None:
    """Returns the gestational age of the bank in days, or None."""
    age = result.gestational_age
    return None if age is None or age.ga_days is None else float(age.ga_days)


def is_zero_shot(item: Classification) -> bool:
    """Tells whether a text bank said it, not a head that was trained for it."""
    return item.kind == ZERO_SHOT


def stand_in_banks(manifest: Manifest) -> frozenset[str]:
    """Returns the names of banks whose teacher only stands in for the one that is meant."""
    return frozenset(bank.name for bank in manifest.text_banks if bank.stand_in)
