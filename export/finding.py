"""What a look at a graph finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a graph.

    Attributes:
        where: name of the node or tensor.
        what: what is wrong with it.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where or 'a node without a name'}: {self.what}"
