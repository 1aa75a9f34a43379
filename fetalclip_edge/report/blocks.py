"""What a report is made of."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from fetalclip_edge.frame import Pixels, check_pixels
from fetalclip_edge.report.charts.base import Chart
from fetalclip_edge.report.markup import Markup, element, join, text

MAX_PICTURE_PX = 480
"""Longest side of a picture in a page; a larger one is shrunk."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 2 begins a section, level 3 a part of one."""

    words: str
    level: int = 2

    def __post_init__(self) -> None:
        if self.level not in (2, 3):
            raise ValueError(f"a heading's level must be 2 or 3, got {self.level}")

    def draw(self) -> Markup:
        """Returns the HTML."""
        return element(f"h{self.level}", text(self.words))


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain words."""

    words: str

    def draw(self) -> Markup:
        """Returns the HTML."""
        return element("p", text(self.words))


@dataclass(frozen=True, slots=True)
class Note:
    """Words that must not be read over: a warning or a limit of what is shown."""

    words: str

    def draw(self) -> Markup:
        """Returns the HTML."""
        return element("p", text(self.words), class_="note", role="note")


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a column; numbers stand right-aligned under each other."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of words.

    Attributes:
        columns: at least one.
        rows: each with one cell a column.
        caption: what the table shows, or None.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str | None = None

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"a row needs {len(self.columns)} cells, got {row}")

    def draw(self) -> Markup:
        """Returns the HTML."""
        classes = ["num" if column.numeric else None for column in self.columns]
        head = [
            element("th", text(column.title), scope="col", class_=class_)
            for column, class_ in zip(self.columns, classes, strict=True)
        ]
        body = [
            element(
                "tr",
                *(
                    element("td", text(cell), class_=class_)
                    for cell, class_ in zip(row, classes, strict=True)
                ),
            )
            for row in self.rows
        ]
        caption = () if self.caption is None else (element("caption", text(self.caption)),)
        table = element(
            "table", *caption, element("thead", element("tr", *head)), element("tbody", *body)
        )
        return element("div", table, class_="scroll")


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its caption."""

    chart: Chart
    caption: str

    def draw(self) -> Markup:
        """Returns the HTML."""
        return element("figure", self.chart.draw(), element("figcaption", text(self.caption)))


@dataclass(frozen=True, slots=True)
class Picture:
    """An image with its caption; `pixels` are uint8, (H, W) gray or (H, W, 3) BGR."""

    pixels: Pixels
    caption: str

    def __post_init__(self) -> None:
        check_pixels(self.pixels)

    def draw(self) -> Markup:
        """Returns the HTML, with the image in it as PNG."""
        height, width = self.pixels.shape[:2]
        shrink = min(1.0, MAX_PICTURE_PX / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        png = cv2.imencode(".png", np.asarray(small, np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1]
        image = element(
            "img",
            src=f"data:image/png;base64,{base64.b64encode(png.tobytes()).decode('ascii')}",
            alt=self.caption,
            width=float(size[0]),
            height=float(size[1]),
        )
        return element("figure", image, element("figcaption", text(self.caption)))


@dataclass(frozen=True, slots=True)
class PictureGrid:
    """Pictures side by side."""

    pictures: tuple[Picture, ...]

    def draw(self) -> Markup:
        """Returns the HTML."""
        return element("div", join(picture.draw() for picture in self.pictures), class_="pictures")


Block = Heading | Paragraph | Note | Table | Figure | PictureGrid
