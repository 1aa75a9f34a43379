"""The teacher's embeddings of the same frames, from where they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.sample import Sample


@dataclass(frozen=True, slots=True)
class TeacherEmbeddings:
    """What a teacher says of frames.

    Attributes:
        name: of the teacher.
        licence: of its weights.
        stand_in: it only stands in for the teacher that is meant.
        rows: float32 (N, D), in the order of the frames that were asked for.
    """

    name: str
    licence: str
    stand_in: bool
    rows: NDArray[np.float32]


def read_store(folder: Path, samples: Sequence[Sample]) -> TeacherEmbeddings:
    """Returns the store's embeddings of these frames as they are, in view 0.

    Raises:
        InputError: the store is unfinished or damaged, or does not hold a frame.
    """
    from distill.store.teacher_store import TeacherStore

    store = TeacherStore.open(folder)
    rows = [store.embedding(store.index(sample), 0) for sample in samples]
    return TeacherEmbeddings(
        name=store.teacher.name,
        licence=store.teacher.licence,
        stand_in=store.teacher.stand_in,
        rows=np.stack(rows).astype(np.float32),
    )
