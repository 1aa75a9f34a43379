"""A finished store, opened for training: every shard checked, then memory-mapped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from distill.data.sample import Sample
from distill.record_file import read_record
from distill.store.frames import check_unchanged, frame_key
from distill.store.records import MAX_RECORD_BYTES, STORE_FILE, StoreRecord
from distill.store.shard import Shard, open_shard
from distill.teacher.manifest import TeacherRecord
from distill.view import View
from fetalclip_edge.errors import InputError


class TeacherStore:
    """Embeddings of K views of each frame; view 0 is the identity.

    Args:
        record: what the store says of itself.
        shards: its shards in order.
    """

    def __init__(self, record: StoreRecord, shards: Sequence[Shard]) -> None:
        self.record = record
        self._shards = tuple(shards)
        self._rows = {frame.key: row for row, frame in enumerate(record.frames)}

    @classmethod
    def open(cls, folder: Path) -> TeacherStore:
        """Returns the store in `folder`.

        Raises:
            InputError: there is none, it is unfinished, or a file of it is damaged.
        """
        record = read_record(
            folder / STORE_FILE,
            StoreRecord,
            max_bytes=MAX_RECORD_BYTES,
            remedy="Make or finish the store with `fetalclip-edge embed`",
        )
        shards = [
            open_shard(folder, number, digests, record.plan, len(record.frames_of(number)))
            for number, digests in enumerate(record.shards)
        ]
        return cls(record, shards)

    @property
    def teacher(self) -> TeacherRecord:
        """Who made the embeddings."""
        return self.record.plan.teacher

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.record.plan.dim

    @property
    def views_per_frame(self) -> int:
        """K."""
        return self.record.plan.views_per_frame

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.record.frames)

    def index(self, sample: Sample) -> int:
        """Returns the row of a frame; `InputError` where the store does not hold it."""
        row = self._rows.get(frame_key(sample))
        if row is None:
            raise InputError(
                f"frame {frame_key(sample)}",
                expected="one that the teacher store holds",
                arrived=f"none of its {len(self)}",
                remedy="Make a store of all the frames with `fetalclip-edge embed`",
            )
        return row

    def check_images(self, samples: Sequence[Sample]) -> None:
        """Raises `InputError` if an image is not in the store, or has changed since."""
        for sample in samples:
            check_unchanged(sample, self.record.frames[self.index(sample)])

    def view(self, i: int, k: int) -> View:
        """Returns view `k` of frame `i`."""
        shard, row = divmod(i, self.record.plan.frames_per_shard)
        return View.from_row(np.asarray(self._shards[shard].views[row, k]))

    def embedding(self, i: int, k: int) -> NDArray[np.float16]:
        """Returns float16 (D,), the teacher's embedding of view `k` of frame `i`."""
        shard, row = divmod(i, self.record.plan.frames_per_shard)
        return np.array(self._shards[shard].embeddings[row, k])
