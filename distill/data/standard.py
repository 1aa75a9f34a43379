"""The two public data sets that a student is trained on, side by side in one folder."""

from __future__ import annotations

from pathlib import Path

from distill.data.hc18 import load_hc18
from distill.data.planes import load_planes
from distill.data.sample import Sample, check_no_leak


def load_standard(data: Path) -> list[Sample]:
    """Returns the frames of HC18 (`data`/hc18) and FETAL_PLANES_DB (`data`/planes).

    Raises:
        InputError: a layout is not that of its data set.
        CheckFailedError: a group stands in two splits.
    """
    samples = load_hc18(data / "hc18") + load_planes(data / "planes")
    check_no_leak(samples)
    return samples
