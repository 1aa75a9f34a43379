"""Geometry in source pixels: regions, ellipses and pixel spacing.

Pixel coordinates are (x, y) with the centre of the top-left pixel at (0, 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fetalclip_edge.errors import UsageError

SpacingRC = tuple[float, float]
"""Pixel spacing in mm between row centres and between column centres (DICOM's order)."""

MAX_SPACING_MM = 10.0
"""A pixel larger than this is no ultrasound image; more likely cm or µm given as mm."""


def checked_spacing(spacing_mm_rc: Sequence[float]) -> SpacingRC:
    """Returns the spacing as a pair, or raises `UsageError` unless both are in (0, 10] mm."""
    values = tuple(float(value) for value in spacing_mm_rc)
    if len(values) != 2 or not all(0.0 < value <= MAX_SPACING_MM for value in values):
        raise UsageError(
            "pixel spacing",
            expected=f"two numbers (row, column) in (0, {MAX_SPACING_MM:g}] mm",
            arrived=repr(values),
            remedy="Give millimetres per pixel of the source image",
        )
    return values[0], values[1]


@dataclass(frozen=True, slots=True)
class Roi:
    """An axis-aligned region of the source image, in whole pixels.

    Attributes:
        x: left edge.
        y: top edge.
        width: columns, at least 1.
        height: rows, at least 1.
    """

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.width < 1 or self.height < 1:
            raise UsageError(
                "region of interest",
                expected="x, y >= 0 and width, height >= 1",
                arrived=f"{self.x},{self.y},{self.width},{self.height}",
            )

    @classmethod
    def full(cls, size_hw: tuple[int, int]) -> Roi:
        """Returns the region that covers an image of `size_hw`."""
        return cls(0, 0, size_hw[1], size_hw[0])

    def check_inside(self, size_hw: tuple[int, int]) -> None:
        """Raises `UsageError` unless the region lies within an image of `size_hw`."""
        height, width = size_hw
        if self.x + self.width > width or self.y + self.height > height:
            raise UsageError(
                f"region of interest {self.x},{self.y},{self.width},{self.height}",
                expected=f"a region inside the {width} x {height} frame",
                arrived="one that reaches beyond it",
                remedy="Give --roi x,y,w,h in pixels of the source",
            )


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse in source pixels.

    Attributes:
        center_xy: centre.
        semi_major: half of the long axis, > 0.
        semi_minor: half of the short axis, > 0 and <= `semi_major`.
        angle_rad: direction of the long axis from +x towards +y (clockwise on the screen),
            in [0, pi).
    """

    center_xy: tuple[float, float]
    semi_major: float
    semi_minor: float
    angle_rad: float

    def __post_init__(self) -> None:
        numbers = (*self.center_xy, self.semi_major, self.semi_minor, self.angle_rad)
        if not all(map(math.isfinite, numbers)) or not 0 < self.semi_minor <= self.semi_major:
            raise ValueError(f"ellipse needs finite numbers and 0 < minor <= major, got {self}")

    def vertices(self) -> tuple[tuple[float, float], ...]:
        """Returns the four ends of the axes: long axis first, then the short one; (x, y)."""
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        x, y = self.center_xy
        a, b = self.semi_major, self.semi_minor
        return (
            (x - a * cos, y - a * sin),
            (x + a * cos, y + a * sin),
            (x + b * sin, y - b * cos),
            (x - b * sin, y + b * cos),
        )

    def semi_axes_mm(self, spacing_mm_rc: SpacingRC) -> tuple[float, float]:
        """Returns (semi-major, semi-minor) in mm, exact for pixels that are not square.

        A linear map takes an ellipse to an ellipse; its half axes are the singular values of
        ``S R diag(a, b)`` with S the spacing and R the rotation.
        """
        row_mm, col_mm = spacing_mm_rc
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        m00, m01 = col_mm * cos * self.semi_major, -col_mm * sin * self.semi_minor
        m10, m11 = row_mm * sin * self.semi_major, row_mm * cos * self.semi_minor
        # singular values of a 2 x 2 matrix in closed form
        plus, minus = math.hypot(m00 + m11, m10 - m01), math.hypot(m00 - m11, m10 + m01)
        return (plus + minus) / 2, abs(plus - minus) / 2


def ellipse_circumference(semi_major: float, semi_minor: float) -> float:
    """Returns the circumference by Ramanujan's second approximation, in the unit given.

    C = pi (a + b) (1 + 3h / (10 + sqrt(4 - 3h))), h = ((a - b) / (a + b))^2
    (S. Ramanujan, Quart. J. Math. 45, 1914); relative error below 1e-4 for b/a >= 0.1.
    """
    h = ((semi_major - semi_minor) / (semi_major + semi_minor)) ** 2
    return math.pi * (semi_major + semi_minor) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))
