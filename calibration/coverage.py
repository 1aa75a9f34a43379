"""What a calibration set covers, and the gaps that nobody should find out about on a cart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from calibration.aspects import Aspects

_EXPECTED = {
    "gain": ("dark", "usual", "bright"),
    "depth": ("shallow", "usual", "deep"),
    "head": ("none", "small", "usual", "large"),
}


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One bin of one aspect.

    Attributes:
        aspect: "gain", "depth", "plane" or "head".
        bin: its name.
        found: frames of the bin among all that were given.
        chosen: frames of it in the calibration set.
    """

    aspect: str
    bin: str
    found: int
    chosen: int


def coverage(
    found: Sequence[Aspects], chosen: Sequence[Aspects], planes: tuple[str, ...]
) -> tuple[CoverageRow, ...]:
    """Returns a row for every bin that should be covered or that was seen, in a fixed order."""
    rows = []
    for aspect, expected in (*_EXPECTED.items(), ("plane", planes)):
        there = Counter(item.bins[aspect] for item in found)
        kept = Counter(item.bins[aspect] for item in chosen)
        more = sorted(set(there) - set(expected))
        rows += [CoverageRow(aspect, name, there[name], kept[name]) for name in (*expected, *more)]
    return tuple(rows)


def gaps(rows: Sequence[CoverageRow]) -> tuple[str, ...]:
    """Returns the bins without a chosen frame, in words."""
    lines = []
    for aspect in dict.fromkeys(row.aspect for row in rows):
        missing = [r.bin for r in rows if r.aspect == aspect and r.chosen == 0]
        unknown = sum(r.chosen for r in rows if r.aspect == aspect and r.bin == "unknown")
        if missing:
            lines.append(f"no frame with {aspect}: {', '.join(missing)}")
        if unknown:
            lines.append(f"{aspect} is not known for {unknown} frames")
    return tuple(lines)
