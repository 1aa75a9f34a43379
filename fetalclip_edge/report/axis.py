"""A linear or logarithmic axis with round ticks, a label and a unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_ROUND_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def check_finite(what: str, values: Iterable[float]) -> None:
    """Raises `ValueError` if a number is not finite: no figure may hide one."""
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{what} must be finite, got {value}")


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows.

    Attributes:
        label: the quantity.
        low: its value at the start.
        high: its value at the end, > `low`.
        unit: unit of the quantity, or None where it has none.
        log: equal ratios are equally long; `low` is then > 0.
        marks: where its ticks stand, or None for round numbers.
    """

    label: str
    low: float
    high: float
    unit: str | None = None
    log: bool = False
    marks: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_finite("an axis", (self.low, self.high, *(self.marks or ())))
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"an axis needs low < high (> 0 if log), got {self.low}, {self.high}")

    @classmethod
    def around(
        cls,
        values: Iterable[float],
        label: str,
        unit: str | None = None,
        include: float | None = None,
    ) -> Axis:
        """Returns an axis from round tick to round tick that holds all values.

        Args:
            values: what will be drawn; at least one.
            label: see `Axis`.
            unit: see `Axis`.
            include: a value that is to be seen in any case, such as 0.
        """
        held = [*values] + ([] if include is None else [include])
        check_finite(label, held)
        low, high = min(held), max(held)
        if low == high:
            low, high = low - 0.5, high + 0.5
        step = _step(low, high, 5)
        return cls(label, math.floor(low / step) * step, math.ceil(high / step) * step, unit)

    @property
    def title(self) -> str:
        """Label and unit."""
        return self.label if self.unit is None else f"{self.label} ({self.unit})"

    def share(self, value: float) -> float:
        """Returns where a value lies: 0 at the start, 1 at the end."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self, about: int = 5) -> tuple[tuple[float, str], ...]:
        """Returns (value, words) of about as many ticks, all with the same decimals."""
        if self.marks is not None:
            return tuple((value, f"{value:g}") for value in self.marks)
        step = _step(self.low, self.high, about)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        if round(step * 10**decimals) * 10.0**-decimals < step * (1 - 1e-9):
            decimals += 1  # steps of 2.5
        values = [k * step for k in range(first, last + 1)]
        return tuple((value, f"{value + 0.0:.{decimals}f}") for value in values)


def _step(low: float, high: float, about: int) -> float:
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * step for step in _ROUND_STEPS if power * step >= raw * (1 - 1e-9))
