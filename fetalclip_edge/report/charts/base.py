"""What every figure is: something that draws itself and can be put into words."""

from __future__ import annotations

from typing import Protocol

from fetalclip_edge.report.markup import Markup


class Chart(Protocol):
    """A figure of a report."""

    @property
    def summary(self) -> str:
        """One sentence for readers who cannot see it."""
        ...  # pragma: no cover

    def draw(self) -> Markup:
        """Returns the SVG."""
        ...  # pragma: no cover
