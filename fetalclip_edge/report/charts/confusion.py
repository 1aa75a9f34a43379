"""A confusion matrix as a heat map, with its counts in words."""

from __future__ import annotations

from dataclasses import dataclass

from fetalclip_edge.report.markup import Markup, element, join, number, text
from fetalclip_edge.report.panel import drawing, text_width_px, words_at

_CELL_W, _CELL_H = 76.0, 40.0


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Counts of true classes (rows) against predicted ones (columns).

    Attributes:
        truths: names of the rows.
        guesses: names of the columns.
        counts: one row for each of `truths`, one column for each of `guesses`; >= 0.
    """

    truths: tuple[str, ...]
    guesses: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        shape = {len(row) for row in self.counts}
        if len(self.counts) != len(self.truths) or shape != {len(self.guesses)}:
            raise ValueError(
                f"counts must be {len(self.truths)} rows of {len(self.guesses)}, got {self.counts}"
            )
        if any(count < 0 for row in self.counts for count in row):
            raise ValueError(f"counts must not be negative, got {self.counts}")

    @property
    def summary(self) -> str:
        """How many lie on the diagonal."""
        right = sum(
            count
            for truth, row in zip(self.truths, self.counts, strict=True)
            for guess, count in zip(self.guesses, row, strict=True)
            if truth == guess
        )
        return f"Confusion matrix: {right} of {sum(map(sum, self.counts))} on the diagonal"

    def draw(self) -> Markup:
        """Returns the SVG; the shade of a cell is its share of its row."""
        left = 56 + max(text_width_px(name) for name in self.truths)
        top = 46.0
        width = left + _CELL_W * len(self.guesses) + 64
        height = top + _CELL_H * len(self.truths) + 10
        middle = top + _CELL_H * len(self.truths) / 2
        parts = [
            words_at(
                left + _CELL_W * len(self.guesses) / 2,
                16,
                "predicted",
                anchor="middle",
                class_="axis",
            ),
            element(
                "text",
                text("true"),
                transform=f"translate(15 {number(middle)}) rotate(-90)",
                text_anchor="middle",
                class_="axis",
            ),
        ]
        for column, name in enumerate(self.guesses):
            x = left + (column + 0.5) * _CELL_W
            parts.append(words_at(x, 36, name, anchor="middle"))
        for row, (truth, counts) in enumerate(zip(self.truths, self.counts, strict=True)):
            y, total = top + row * _CELL_H, sum(counts)
            parts.append(words_at(left - 9, y + _CELL_H / 2 + 4, truth, anchor="end"))
            parts.append(words_at(width - 54, y + _CELL_H / 2 + 4, f"n {total}"))
            for column, (guess, count) in enumerate(zip(self.guesses, counts, strict=True)):
                share = count / total if total else 0.0
                parts += _cell(left + column * _CELL_W, y, count, share, f"{truth} as {guess}")
        return drawing(width, height, self.summary, join(parts))


def _cell(x: float, y: float, count: int, share: float, words: str) -> list[Markup]:
    box = element(
        "rect",
        element("title", text(f"{words}: {count} ({share:.0%})")),
        x=x + 1,
        y=y + 1,
        width=_CELL_W - 2,
        height=_CELL_H - 2,
        rx=3.0,
        class_="cell" if count else "cell none",
        fill_opacity=0.12 + 0.88 * share if count else None,
    )
    class_ = "count strong" if share > 0.5 else "count" if count else "count none"
    number_at = (x + _CELL_W / 2, y + _CELL_H / 2 + 5)
    return [box, words_at(*number_at, str(count), anchor="middle", class_=class_)]
