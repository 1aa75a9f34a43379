"""The page: blocks in order, in one file that needs nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fetalclip_edge.report.blocks import Block
from fetalclip_edge.report.markup import Markup, element, join, text
from fetalclip_edge.report.style import STYLE
from fetalclip_edge.report.write import write_whole

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Even a browser that is told to fetch or to run something in the page does not."""


@dataclass(frozen=True, slots=True)
class Page:
    """A report.

    Attributes:
        title: its name.
        subtitle: one line below it.
        blocks: what it holds, from above to below.
    """

    title: str
    subtitle: str
    blocks: tuple[Block, ...]

    def html(self) -> str:
        """Returns the whole page; the same blocks give the same bytes."""
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", text(self.title)),
            element("style", Markup(STYLE)),
        )
        header = element(
            "header",
            element("h1", text(self.title)),
            element("p", text(self.subtitle), class_="sub"),
        )
        body = join(Markup(f"{block.draw()}\n") for block in self.blocks)
        page = element("html", head, element("body", header, element("main", body)), lang="en")
        return f"<!doctype html>\n{page}\n"

    def write(self, path: Path) -> None:
        """Writes the page whole or not at all; `SinkError` where it cannot be written."""
        write_whole(path, self.html())
