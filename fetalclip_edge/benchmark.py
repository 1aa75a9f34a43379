"""Times model files fairly: every file takes its turn in every round, so that a ratio is fair.

On a machine that is not idle the second of two runs in a row pays for what else happens then;
taking turns spreads that over all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

WARM_UP = 5
"""Untimed rounds before the first: caches, lazy allocations, clocks."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one task took.

    Attributes:
        n: times it was run.
        p50_ms: median duration in ms.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
    """

    n: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Runs a second at the median."""
        return 1e3 / self.p50_ms


def take_turns(
    tasks: Mapping[str, Callable[[int], object]], rounds: int, warm_up: int = WARM_UP
) -> dict[str, Timing]:
    """Runs every task once a round and returns how long each took.

    Args:
        tasks: name -> what to run; it is given the number of the round, from 0.
        rounds: timed rounds, at least 1.
        warm_up: rounds before those.
    """
    spent_ms: dict[str, list[float]] = {name: [] for name in tasks}
    names = list(tasks)
    for number in range(-warm_up, rounds):
        # the order turns too: whoever comes after a slow task finds cold caches
        for name in names[number % len(names) :] + names[: number % len(names)]:
            begin = time.perf_counter()
            tasks[name](max(0, number))
            if number >= 0:
                spent_ms[name].append((time.perf_counter() - begin) * 1e3)
    return {name: _timing(values) for name, values in spent_ms.items()}


def speed_up(slow: Timing, fast: Timing) -> float:
    """Returns how many times faster `fast` is, at the median."""
    return slow.p50_ms / fast.p50_ms


def _timing(values_ms: list[float]) -> Timing:
    p50, p95, p99 = np.percentile(values_ms, [50, 95, 99])
    return Timing(len(values_ms), float(p50), float(p95), float(p99))
