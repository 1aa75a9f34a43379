"""A finished store, opened for training: every shard checked, then memory-mapped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.sample import Sample
from distill.teacher.manifest import TeacherRecord
from distill.view import View


class TeacherStore:
    """Embeddings of K views of each frame; view 0 is the identity.

    Attributes:
        teacher: who made them.
        dim: length of an embedding.
        views_per_frame: K.
    """

    teacher: TeacherRecord
    dim: int
    views_per_frame: int

    @classmethod
    def open(cls, folder: Path) -> TeacherStore:
        """Returns the store in `folder`; `InputError` where it is unfinished or damaged."""
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def index(self, sample: Sample) -> int:
        """Returns the row of a frame; `InputError` where the store does not hold it."""
        raise NotImplementedError

    def view(self, i: int, k: int) -> View:
        """Returns view `k` of frame `i`."""
        raise NotImplementedError

    def embedding(self, i: int, k: int) -> NDArray[np.float16]:
        """Returns float16 (D,), the teacher's embedding of view `k` of frame `i`."""
        raise NotImplementedError
