"""Scatter plots, and what they share with the plot of Bland and Altman."""

from __future__ import annotations

from dataclasses import dataclass

from fetalclip_edge.report.axis import Axis, check_finite
from fetalclip_edge.report.markup import Markup, join
from fetalclip_edge.report.panel import STYLES, Panel, drawing, legend, line, mark, words_at


@dataclass(frozen=True, slots=True)
class PointSeries:
    """Points of one kind.

    Attributes:
        name: what they are.
        points: (x, y).
    """

    name: str
    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        check_finite(self.name, (value for point in self.points for value in point))


def check_series(series: tuple[PointSeries, ...]) -> None:
    """Raises `ValueError` unless there are one to as many series as can be told apart."""
    if not 1 <= len(series) <= STYLES:
        raise ValueError(f"a figure needs 1 to {STYLES} series, got {len(series)}")


def draw_series(panel: Panel, series: tuple[PointSeries, ...]) -> Markup:
    """Returns the marks of every series, and a legend where there are several."""
    parts = [
        mark(panel.x_px(x), panel.y_px(y), style, f"{item.name}: {x:.4g}, {y:.4g}")
        for style, item in enumerate(series)
        for x, y in item.points
    ]
    if len(series) > 1:
        parts.append(legend((item.name for item in series), panel.left, 16))
    return join(parts)


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points in a plane.

    Attributes:
        series: one to six kinds of points.
        x: axis below.
        y: axis on the left.
        identity: draw the line y = x.
    """

    series: tuple[PointSeries, ...]
    x: Axis
    y: Axis
    identity: bool = False

    def __post_init__(self) -> None:
        check_series(self.series)

    @property
    def summary(self) -> str:
        """What is drawn over what, and how many points."""
        count = sum(len(item.points) for item in self.series)
        return f"{self.y.title} over {self.x.title}, {count} points"

    def draw(self) -> Markup:
        """Returns the SVG."""
        top = 30.0 if len(self.series) > 1 else 14.0
        panel = Panel(self.x, self.y, top=top)
        parts = [panel.grid()]
        if self.identity:
            low, high = max(self.x.low, self.y.low), min(self.x.high, self.y.high)
            ends = (panel.x_px(low), panel.y_px(low), panel.x_px(high), panel.y_px(high))
            parts.append(line(*ends, "guide"))
        parts.append(draw_series(panel, self.series))
        return drawing(panel.width, panel.height, self.summary, *parts)


@dataclass(frozen=True, slots=True)
class BlandAltman:
    """Differences of two methods over their mean, with bias and limits of agreement.

    J. M. Bland, D. G. Altman, Lancet 327(8476):307-310, 1986.

    Attributes:
        series: (mean, difference) of each pair; several kinds may be told apart.
        bias: mean difference.
        limits: lower and upper 95 % limit of agreement.
        quantity: what was measured.
        unit: its unit.
    """

    series: tuple[PointSeries, ...]
    bias: float
    limits: tuple[float, float]
    quantity: str
    unit: str

    def __post_init__(self) -> None:
        check_series(self.series)
        check_finite("bias and limits", (self.bias, *self.limits))

    @property
    def summary(self) -> str:
        """Bias and limits in words."""
        low, high = self.limits
        return (
            f"Difference of {self.quantity} over the mean: bias {self.bias:.2f} {self.unit}, "
            f"95 % limits of agreement {low:.2f} to {high:.2f} {self.unit}"
        )

    def draw(self) -> Markup:
        """Returns the SVG."""
        points = [point for item in self.series for point in item.points]
        heights = [*(y for _, y in points), self.bias, *self.limits]
        x = Axis.around(
            [x for x, _ in points], f"mean of measured and true {self.quantity}", self.unit
        )
        y = Axis.around(heights, "measured - true", self.unit, include=0.0)
        top = 30.0 if len(self.series) > 1 else 14.0
        panel = Panel(x, y, right=140, top=top)
        zero = panel.y_px(0.0)
        parts = [panel.grid(), line(panel.left, zero, panel.wall, zero, "base")]
        for value, name, class_ in (
            (self.limits[1], "upper limit", "limit"),
            (self.bias, "bias", "guide"),
            (self.limits[0], "lower limit", "limit"),
        ):
            row = panel.y_px(value)
            parts.append(line(panel.left, row, panel.wall, row, class_))
            parts.append(words_at(panel.wall + 7, row + 4, f"{name} {value:+.2f}"))
        parts.append(draw_series(panel, self.series))
        return drawing(panel.width, panel.height, self.summary, *parts)
