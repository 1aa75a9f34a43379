"""The teacher's embeddings of the same frames, from where they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.sample import Sample
from distill.evaluation.outcome import Verdict, verdict_of
from distill.store.teacher_store import TeacherStore
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.textbank.entry import PlaneBank
from fetalclip_edge.textbank.zero_shot import classify_by_text


@dataclass(frozen=True, slots=True)
class TeacherEmbeddings:
    """What a teacher says of frames.

    Attributes:
        name: of the teacher.
        licence: of its weights.
        stand_in: it only stands in for the teacher that is meant.
        space: name of the space that they live in.
        rows: float32 (N, D), in the order of the frames that were asked for.
    """

    name: str
    licence: str
    stand_in: bool
    space: str
    rows: NDArray[np.float32]


def read_store(folder: Path, samples: Sequence[Sample]) -> TeacherEmbeddings:
    """Returns the store's embeddings of these frames as they are, in view 0.

    Raises:
        InputError: the store is unfinished or damaged, or does not hold a frame.
    """
    store = TeacherStore.open(folder)
    rows = [store.embedding(store.index(sample), 0) for sample in samples]
    return TeacherEmbeddings(
        name=store.teacher.name,
        licence=store.teacher.licence,
        stand_in=store.teacher.stand_in,
        space=store.teacher.space,
        rows=np.stack(rows).astype(np.float32),
    )


def zero_shot_verdicts(
    bundle: Bundle, rows: NDArray[np.float32]
) -> tuple[tuple[Verdict, ...], ...]:
    """Returns for each of the bundle's banks of planes what it says of each embedding.

    Args:
        bundle: its banks belong to the teacher's space.
        rows: float32 (N, D), of norm 1.
    """
    banks = [bank for bank in bundle.manifest.text_banks if isinstance(bank, PlaneBank)]
    return tuple(
        tuple(verdict_of(classify_by_text(bank, vectors, row)) for row in rows)
        for bank, vectors in ((bank, bundle.text_bank(bank)) for bank in banks)
    )
