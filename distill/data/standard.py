"""The two public data sets that a student is trained on, side by side in one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from distill.data.hc18 import load_hc18
from distill.data.planes import load_planes
from distill.data.sample import Sample, check_no_leak

LOADERS: dict[str, Callable[[Path], list[Sample]]] = {"hc18": load_hc18, "planes": load_planes}
"""Data sets by the name of their folder."""


def load_standard(data: Path, names: Sequence[str] = tuple(LOADERS)) -> list[Sample]:
    """Returns the frames of HC18 (`data`/hc18) and FETAL_PLANES_DB (`data`/planes).

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
