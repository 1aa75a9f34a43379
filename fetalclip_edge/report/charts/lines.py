"""Curves with the intervals of their points."""

from __future__ import annotations

from dataclasses import dataclass

from fetalclip_edge.report.axis import Axis, check_finite
from fetalclip_edge.report.markup import Markup, element, number
from fetalclip_edge.report.panel import STYLES, Panel, drawing, legend, line, mark


@dataclass(frozen=True, slots=True)
class LinePoint:
    """A point of a curve; `interval` is the lower and upper bound of `y`, or None."""

    x: float
    y: float
    interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_finite("a point", (self.x, self.y, *(self.interval or ())))


@dataclass(frozen=True, slots=True)
class LineSeries:
    """One curve: a name and at least one point, in the order in which they are joined."""

    name: str
    points: tuple[LinePoint, ...]

    def __post_init__(self) -> None:
        if not self.points:
            raise ValueError(f"curve {self.name!r} needs at least one point")


@dataclass(frozen=True, slots=True)
class LineChart:
    """One to six curves over one pair of axes."""

    series: tuple[LineSeries, ...]
    x: Axis
    y: Axis

    def __post_init__(self) -> None:
        if not 1 <= len(self.series) <= STYLES:
            raise ValueError(f"a figure needs 1 to {STYLES} curves, got {len(self.series)}")

    @property
    def summary(self) -> str:
        """Every curve in words."""
        curves = "; ".join(
            f"{item.name}: " + ", ".join(f"{point.y:.4g} at {point.x:.4g}" for point in item.points)
            for item in self.series
        )
        return f"{self.y.title} over {self.x.title}. {curves}"

    def draw(self) -> Markup:
        """Returns the SVG."""
        panel = Panel(self.x, self.y, top=30.0, height=360.0)
        parts = [panel.grid()]
        for style, item in enumerate(self.series):
            places = [(panel.x_px(point.x), panel.y_px(point.y)) for point in item.points]
            joined = " ".join(f"{number(x)},{number(y)}" for x, y in places)
            parts.append(element("polyline", points=joined, class_=f"curve s{style}"))
            for point, (x, y) in zip(item.points, places, strict=True):
                if point.interval is not None:
                    low, high = (panel.y_px(value) for value in point.interval)
                    parts.append(line(x, low, x, high, "whisker"))
                    parts += [line(x - 4, end, x + 4, end, "whisker") for end in (low, high)]
                parts.append(mark(x, y, style, f"{item.name}: {point.x:.4g}, {point.y:.4g}", 4.2))
        parts.append(legend((item.name for item in self.series), panel.left, 16))
        return drawing(panel.width, panel.height, self.summary, *parts)
