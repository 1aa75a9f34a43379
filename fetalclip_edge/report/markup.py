"""Markup that is safe by type: words become markup only by being escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import NewType

Markup = NewType("Markup", str)
"""HTML or SVG that needs no further escaping."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_VOID = frozenset({"meta", "img", "col"})


def text(words: str) -> Markup:
    """Returns words as markup; what neither HTML nor UTF-8 may hold becomes U+FFFD."""
    return Markup(html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", words)))


def join(parts: Iterable[Markup]) -> Markup:
    """Returns the parts one after the other."""
    return Markup("".join(parts))


def number(value: float) -> str:
    """Returns a coordinate with at most two decimals."""
    return f"{round(value, 2):g}"


def element(name: str, /, *children: Markup, **attributes: str | float | None) -> Markup:
    """Returns an element with escaped attributes.

    Args:
        name: its tag.
        children: what it holds.
        attributes: `text_anchor` stands for `text-anchor`, `class_` for `class`; None is left out.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            words = value if isinstance(value, str) else number(value)
            parts.append(f'{key.rstrip("_").replace("_", "-")}="{text(words)}"')
    opening = f"<{' '.join(parts)}>"
    return Markup(opening if name in _VOID else f"{opening}{join(children)}</{name}>")
