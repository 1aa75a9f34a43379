"""Times model files fairly: they take turns, so that a ratio is fair.

On a machine that is not idle the second of two runs in a row pays for what else happens then;
taking turns spreads that over all of them. The threads of a runtime spin on for tens of
milliseconds after their work, on the cores that the next one needs: on two cores that made another
network 2.6 times as slow as it is. So each turn begins with a pause, and is a burst of runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

BURST = 10
"""Timed runs of one turn."""

WARM_UP = 3
"""Untimed runs before them: threads that sleep, caches, lazy allocations."""

PAUSE_S = 0.1
"""Pause before a turn, until the threads of the one before have gone to sleep."""


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
    tasks: Mapping[str, Callable[[int], object]], rounds: int, pause_s: float = PAUSE_S
) -> dict[str, Timing]:
    """Runs every task `rounds` times, in bursts that take turns, and returns how long each took.

    Args:
        tasks: name -> what to run; it is given the number of the run, from 0.
        rounds: timed runs of each, at least 1.
        pause_s: see `PAUSE_S`.
    """
    spent_ms: dict[str, list[float]] = {name: [] for name in tasks}
    names = list(tasks)
    for turn, first in enumerate(range(0, rounds, BURST)):
        # the order turns too: whoever comes after a slow task finds cold caches
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            time.sleep(pause_s)
            for _ in range(WARM_UP):
                tasks[name](first)
            for number in range(first, min(first + BURST, rounds)):
                begin = time.perf_counter()
                tasks[name](number)
                spent_ms[name].append((time.perf_counter() - begin) * 1e3)
    return {name: _timing(values) for name, values in spent_ms.items()}


def speed_up(slow: Timing, fast: Timing) -> float:
    """Returns how many times faster `fast` is, at the median."""
    return slow.p50_ms / fast.p50_ms


def _timing(values_ms: list[float]) -> Timing:
    p50, p95, p99 = np.percentile(values_ms, [50, 95, 99])
    return Timing(len(values_ms), float(p50), float(p95), float(p99))
