"""The smallest runs that are runs: a recipe of 64-pixel frames and a store without a teacher."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.sample import Sample
from distill.store.teacher_store import TeacherStore
from distill.teacher.manifest import TeacherRecord
from distill.view import View

LABELS_ALONE = """
schema_version = 1
[student]
preset = "resnet18_half"
embedding_dim = 16
decoder_width = 8
size_px = 64
early_size_px = 32
early_share = 0.4
[training]
epochs = 3
batch = 4
accumulation = 2
[losses.mask]
weight = 1.0
[losses.plane]
weight = 0.5
"""

TAUGHT = (
    LABELS_ALONE.replace("embedding_dim = 16\n", "")
    + """
[losses.feature]
weight = { start = 20.0, end = 5.0, shape = "cosine" }
[losses.relational]
weight = 1.0
[losses.interactive]
weight = 0.5
[losses.clip]
weight = 0.1
[losses.repulsive]
weight = 0.1
"""
)


def write_recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


class DrawnStore(TeacherStore):
    """A store whose embeddings are random numbers, fixed for each frame and view."""

    def __init__(self, samples: list[Sample], dim: int = 16, views: int = 3) -> None:
        self._dim, self._views = dim, views
        self._of = {sample.image: row for row, sample in enumerate(samples)}

    @property
    def teacher(self) -> TeacherRecord:
        return TeacherRecord(name="drawn", licence="CC BY-NC 4.0", stand_in=True, sha256="a" * 64)

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def views_per_frame(self) -> int:
        return self._views

    def __len__(self) -> int:
        return len(self._of)

    def index(self, sample: Sample) -> int:
        return self._of[sample.image]

    def check_images(self, samples: Sequence[Sample]) -> None:
        assert {sample.image for sample in samples} <= set(self._of)

    def view(self, i: int, k: int) -> View:
        return View.identity() if k == 0 else View.random(np.random.default_rng((i, k)))

    def embedding(self, i: int, k: int) -> NDArray[np.float16]:
        raw = np.random.default_rng((i, 0)).normal(size=self.dim)
        raw += 0.1 * np.random.default_rng((i, k)).normal(size=self.dim)
        return np.asarray(raw / np.linalg.norm(raw), np.float16)
