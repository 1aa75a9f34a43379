"""What a student is trained on, side by side in one folder: two public sets and a user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from distill.data.folder import load_folder
from distill.data.hc18 import load_hc18
from distill.data.planes import load_planes
from distill.data.sample import Sample, check_no_leak

STANDARD = ("hc18", "planes")
LOADERS: dict[str, Callable[[Path], list[Sample]]] = {
    "hc18": load_hc18,
    "planes": load_planes,
    "own": load_folder,
}
"""Data sets by the name of their folder."""


def load_standard(data: Path, names: Sequence[str] = STANDARD) -> list[Sample]:
    """Returns the frames of HC18 (`data`/hc18) and FETAL_PLANES_DB (`data`/planes).

    A user's own frames (`data`/own) come where they are named.

    Args:
        data: folder that holds them.
        names: which of them.

    Raises:
        InputError: a layout is not that of its data set.
        CheckFailedError: a group stands in two splits.
    """
    samples = [sample for name in names for sample in LOADERS[name](data / name)]
    check_no_leak(samples)
    return samples
