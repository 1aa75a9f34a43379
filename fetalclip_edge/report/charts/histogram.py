"""How often values fall into bins of equal width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fetalclip_edge.report.axis import Axis, check_finite
from fetalclip_edge.report.markup import Markup, element, join, text
from fetalclip_edge.report.panel import Panel, drawing


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of values.

    Attributes:
        values: at least one.
        label: the quantity.
        unit: its unit, or None.
        bins: how many bins there are from the lowest to the highest round tick.
    """

    values: tuple[float, ...]
    label: str
    unit: str | None = None
    bins: int = 24

    def __post_init__(self) -> None:
        check_finite(self.label, self.values)
        if not self.values or self.bins < 1:
            raise ValueError("a histogram needs at least one value and one bin")

    @property
    def summary(self) -> str:
        """Number, median and range of the values."""
        low, middle, high = np.percentile(self.values, (0, 50, 100))
        return (
            f"Histogram of {self.label}: n {len(self.values)}, median {middle:.4g}, "
            f"{low:.4g} to {high:.4g}"
        )

    def draw(self) -> Markup:
        """Returns the SVG."""
        x = Axis.around(self.values, self.label, self.unit)
        counts, edges = np.histogram(self.values, self.bins, (x.low, x.high))
        panel = Panel(x, Axis.around(map(float, counts), "frames", include=0.0), height=300.0)
        parts = []
        for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
            left, right = panel.x_px(float(low)), panel.x_px(float(high))
            top = panel.y_px(float(count))
            words = f"{low:.4g} to {high:.4g}: {count}"
            bar = element(
                "rect",
                element("title", text(words)),
                x=left + 0.75,
                y=top,
                width=max(0.5, right - left - 1.5),
                height=panel.floor - top,
                class_="bar s0",
            )
            parts.append(bar)
        return drawing(panel.width, panel.height, self.summary, panel.grid(), join(parts))
