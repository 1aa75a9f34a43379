"""Which frame is drawn when, and with what randomness: a function of seed, epoch and place.

Nothing here remembers anything, so that a run that was killed goes on with the very draws it
would have made, on one process or on several.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Sampler

from distill.data.sample import Sample
from fetalclip_edge.errors import InputError


class Draw(NamedTuple):
    """One visit to one frame.

    row: number of the frame. seed: of everything random about this visit.
    """

    row: int
    seed: int


def draw_weights(
    samples: Sequence[Sample], visible: Sequence[bool], *, taught: bool
) -> list[float]:
    """Returns how often each frame is drawn, relative to the others.

    Each (data set, plane) has a share of the root of its size, so that none starves. A frame
    whose label is hidden counts by its data set alone.

    Args:
        samples: training frames.
        visible: whether a frame's labels may be used.
        taught: whether a teacher speaks on every frame; without one, a frame without labels
            teaches nothing and is not drawn.
    """
    keys = [
        (s.data_set, s.plane if seen else None, seen)
        for s, seen in zip(samples, visible, strict=True)
    ]
    counts = Counter(keys)
    return [
        1.0 / math.sqrt(counts[key]) if taught or (seen and _labelled(sample)) else 0.0
        for sample, seen, key in zip(samples, visible, keys, strict=True)
    ]


def _labelled(sample: Sample) -> bool:
    return sample.plane is not None or sample.outline is not None or bool(sample.masks)


class Draws(Sampler[Draw]):
    """Draws for one process, batch by batch; no frame comes twice in one batch.

    Args:
        weights: of each frame; 0 is never drawn.
        seed: of the run.
        batch: frames of a batch over all processes.
        accumulation: batches of a step; an epoch has whole steps.
        rank: of this process.
        world: number of processes.

    Raises:
        InputError: there are too few frames for one step, or the batch cannot be shared out.
    """

    def __init__(
        self,
        weights: Sequence[float],
        *,
        seed: int,
        batch: int,
        accumulation: int = 1,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._weights = torch.tensor(weights, dtype=torch.float64)
        self._seed, self._batch = seed, batch
        self._rank, self.local_batch = rank, batch // world
        self.batches = len(weights) // (batch * accumulation) * accumulation
        self._epoch, self._first = 0, 0
        if batch % world:
            raise InputError(
                "training.batch", expected=f"a multiple of {world} processes", arrived=str(batch)
            )
        if self.batches == 0:
            raise InputError(
                "training frames",
                expected=f"at least {batch * accumulation} for one step",
                arrived=str(len(weights)),
            )
        drawable = int((self._weights > 0).sum())
        if drawable == 0:
            raise InputError("training frames", expected="some with a label", arrived="none")
        self._replacement = drawable < batch

    def begin(self, epoch: int, batch: int) -> None:
        """Makes the next iteration that of `epoch`, from its batch number `batch` on."""
        self._epoch, self._first = epoch, batch

    def __len__(self) -> int:
        return (self.batches - self._first) * self.local_batch

    def __iter__(self) -> Iterator[Draw]:
        for batch in range(self._first, self.batches):
            generator = torch.Generator().manual_seed(_mix(self._seed, self._epoch, batch))
            chosen = torch.multinomial(
                self._weights, self._batch, self._replacement, generator=generator
            ).tolist()
            mine = range(self._rank * self.local_batch, (self._rank + 1) * self.local_batch)
            for place in mine:
                yield Draw(chosen[place], _mix(self._seed, self._epoch, batch, place + 1))


def _mix(*numbers: int) -> int:
    """Returns a seed that depends on all the numbers."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))  # torch takes a signed one
