"""The frame of a figure: a drawing area with axes, grid and labels, in the units of its data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fetalclip_edge.report.axis import Axis
from fetalclip_edge.report.markup import Markup, element, join, number, text

_CHARACTER_PX = 7.7
"""Width that a character of 13 pixels is given; its real width is known to the browser alone."""

STYLES = 6
"""How many series can be told apart: colours of the style sheet, each with its own mark."""


def text_width_px(words: str) -> float:
    """Returns about how wide words are drawn."""
    return _CHARACTER_PX * len(words)


@dataclass(frozen=True, slots=True)
class Panel:
    """A drawing area inside its margins, in pixels of the figure.

    Attributes:
        x: the axis below.
        y: the axis on the left, or None where rows are labelled instead.
        width: of the whole figure.
        height: of the whole figure.
        left: margin.
        right: margin.
        top: margin.
        bottom: margin.
    """

    x: Axis
    y: Axis | None
    width: float = 680.0
    height: float = 400.0
    left: float = 66.0
    right: float = 18.0
    top: float = 14.0
    bottom: float = 50.0

    @property
    def floor(self) -> float:
        """Where the drawing area ends, from above."""
        return self.height - self.bottom

    @property
    def wall(self) -> float:
        """Where the drawing area ends, from the left."""
        return self.width - self.right

    def x_px(self, value: float) -> float:
        """Returns the column of a value."""
        return self.left + self.x.share(value) * (self.wall - self.left)

    def y_px(self, value: float) -> float:
        """Returns the row of a value."""
        if self.y is None:
            raise ValueError("this panel has no axis on the left")
        return self.floor - self.y.share(value) * (self.floor - self.top)

    def grid(self) -> Markup:
        """Returns axes, grid lines, ticks and titles."""
        parts = []
        middle = (self.left + self.wall) / 2
        for value, words in self.x.ticks():
            x = self.x_px(value)
            parts.append(line(x, self.top, x, self.floor, "grid"))
            parts.append(words_at(x, self.floor + 17, words, anchor="middle"))
        parts.append(
            words_at(middle, self.height - 8, self.x.title, anchor="middle", class_="axis")
        )
        if self.y is not None:
            for value, words in self.y.ticks():
                y = self.y_px(value)
                parts.append(line(self.left, y, self.wall, y, "grid"))
                parts.append(words_at(self.left - 8, y + 4, words, anchor="end"))
            y = (self.top + self.floor) / 2
            turned = f"translate(15 {number(y)}) rotate(-90)"
            parts.append(
                element(
                    "text",
                    text(self.y.title),
                    transform=turned,
                    text_anchor="middle",
                    class_="axis",
                )
            )
        parts.append(line(self.left, self.floor, self.wall, self.floor, "base"))
        return join(parts)


def words_at(x: float, y: float, words: str, *, anchor: str = "start", class_: str = "t") -> Markup:
    """Returns words at a place; `y` is their base line."""
    return element("text", text(words), x=x, y=y, text_anchor=anchor, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Returns a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def mark(x: float, y: float, style: int, words: str, size: float = 3.4) -> Markup:
    """Returns a point in its series' shape; a pointer that rests on it is shown `words`."""
    hint, class_ = element("title", text(words)), f"mark s{style % STYLES}"
    if style % 3 == 0:
        return element("circle", hint, cx=x, cy=y, r=size, class_=class_)
    if style % 3 == 1:
        side = 1.8 * size
        return element(
            "rect", hint, x=x - side / 2, y=y - side / 2, width=side, height=side, class_=class_
        )
    corners = ((x, y - 1.3 * size), (x + 1.15 * size, y + size), (x - 1.15 * size, y + size))
    points = " ".join(f"{number(a)},{number(b)}" for a, b in corners)
    return element("polygon", hint, points=points, class_=class_)


def legend(names: Iterable[str], x: float, y: float) -> Markup:
    """Returns one row of marks with names; `y` is its base line."""
    parts = []
    for style, name in enumerate(names):
        parts += [mark(x + 5, y - 4, style, name, 4.2), words_at(x + 15, y, name)]
        x += text_width_px(name) + 36
    return join(parts)


def drawing(width: float, height: float, summary: str, *parts: Markup) -> Markup:
    """Returns the SVG; `summary` is read out to who cannot see it."""
    return element(
        "svg",
        element("title", text(summary)),
        *parts,
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        role="img",
    )
