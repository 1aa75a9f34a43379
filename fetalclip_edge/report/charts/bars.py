"""Values with their intervals, one row each."""

from __future__ import annotations

from dataclasses import dataclass

from fetalclip_edge.report.axis import Axis, check_finite
from fetalclip_edge.report.markup import Markup, element, join, text
from fetalclip_edge.report.panel import Panel, drawing, line, text_width_px, words_at

_ROW_PX = 30.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One value.

    Attributes:
        label: what it belongs to.
        value: its length.
        interval: lower and upper bound around `value`, or None where there is none.
        words: what stands at its end; None is the value with three decimals.
    """

    label: str
    value: float
    interval: tuple[float, float] | None = None
    words: str | None = None

    def __post_init__(self) -> None:
        check_finite(f"bar {self.label!r}", (self.value, *(self.interval or ())))
        if self.interval is not None and self.interval[0] > self.interval[1]:
            raise ValueError(f"an interval needs low <= high, got {self.interval}")


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars from the axis' start.

    Attributes:
        bars: from above to below; at least one.
        axis: of the values; it must hold every bar and interval.
    """

    bars: tuple[Bar, ...]
    axis: Axis

    def __post_init__(self) -> None:
        if not self.bars:
            raise ValueError("a bar chart needs at least one bar")
        for bar in self.bars:
            low, high = bar.interval or (bar.value, bar.value)
            if min(low, bar.value) < self.axis.low or max(high, bar.value) > self.axis.high:
                raise ValueError(f"{bar} does not fit on {self.axis}")

    @property
    def summary(self) -> str:
        """Every bar in words."""
        rows = "; ".join(f"{bar.label} {self._words(bar)}" for bar in self.bars)
        return f"{self.axis.title}: {rows}"

    @staticmethod
    def _words(bar: Bar) -> str:
        return f"{bar.value:.3f}" if bar.words is None else bar.words

    def draw(self) -> Markup:
        """Returns the SVG."""
        left = 16 + max(text_width_px(bar.label) for bar in self.bars)
        right = 16 + max(text_width_px(self._words(bar)) for bar in self.bars)
        height = 14 + 50 + _ROW_PX * len(self.bars)
        panel = Panel(self.axis, None, height=height, left=left, right=right)
        parts = []
        for row, bar in enumerate(self.bars):
            middle = panel.top + (row + 0.5) * _ROW_PX
            start, end = panel.x_px(self.axis.low), panel.x_px(bar.value)
            parts.append(words_at(left - 8, middle + 4, bar.label, anchor="end"))
            box = element(
                "rect",
                element("title", text(f"{bar.label}: {self._words(bar)}")),
                x=start,
                y=middle - 9,
                width=max(0.0, end - start),
                height=18.0,
                class_="bar s0",
            )
            parts.append(box)
            if bar.interval is not None:
                low, high = (panel.x_px(value) for value in bar.interval)
                parts.append(line(low, middle, high, middle, "whisker"))
                parts += [line(x, middle - 5, x, middle + 5, "whisker") for x in (low, high)]
            parts.append(words_at(panel.wall + 8, middle + 4, self._words(bar)))
        return drawing(panel.width, panel.height, self.summary, panel.grid(), join(parts))
