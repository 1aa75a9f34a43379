"""Which training frames may use their labels, so that few labels can be tried on many frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distill.data.sample import Sample


def visible_labels(samples: Sequence[Sample], share: float, seed: int) -> tuple[bool, ...]:
    """Returns for each frame whether its labels may be used.

    Groups of each data set are drawn in a seeded order until `share` of its frames is reached,
    so that a patient's frames stay together and a smaller share is part of a larger one.

    Args:
        samples: training frames.
        share: in (0, 1].
        seed: of the order.
    """
    chosen: set[tuple[str, str]] = set()
    for data_set in sorted({s.data_set for s in samples}):
        groups = [s.group for s in samples if s.data_set == data_set]
        names = sorted(set(groups))
        taken = 0
        for position in np.random.default_rng(seed).permutation(len(names)):
            if taken >= share * len(groups):
                break
            chosen.add((data_set, names[position]))
            taken += groups.count(names[position])
    return tuple((s.data_set, s.group) in chosen for s in samples)
