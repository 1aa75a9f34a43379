"""Training frames as the student sees them: labels that may be used, and the teacher's own view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from distill.augment import appearance_transform, train_transform
from distill.data.cache import CachedFrames
from distill.draws import Draw
from distill.store.teacher_store import TeacherStore


class Batch(NamedTuple):
    """One batch, or one frame of it without the first axis.

    frame: uint8 (B, 1, S, S). mask: uint8 (B, M, S, S). plane: int64 (B,), -1 where not labelled.
    labelled: bool (B,) or (B, M). teacher: float32 (B, D), D = 0 without one.
    rows: int64 (B,), numbers of the frames.
    """

    frame: Tensor
    mask: Tensor
    plane: Tensor
    labelled: Tensor
    teacher: Tensor
    rows: Tensor


class TrainFrames(Dataset[Batch]):
    """Cached frames, augmented anew at each visit.

    With a store each visit takes one of its views, the same that the teacher saw, and adds noise
    that the teacher did not see. Without one the geometry is random too.

    Args:
        cached: the frames.
        visible: whether a frame's labels may be used.
        store: what the teacher said of them, or None.
    """

    def __init__(
        self, cached: CachedFrames, visible: Sequence[bool], store: TeacherStore | None
    ) -> None:
        self.cached, self.visible, self.store = cached, visible, store
        self._rows = None if store is None else [store.index(s) for s in cached.samples]
        self._transform = train_transform() if store is None else appearance_transform()

    def __len__(self) -> int:
        return len(self.cached)

    def __getitem__(self, draw: Draw) -> Batch:
        # the draw's own randomness, whatever this process has drawn before
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(draw.seed)
            return self._visit(draw.row)

    def _visit(self, index: int) -> Batch:
        frame, mask, plane_number, has_mask = self.cached[index]
        plane, labelled = torch.as_tensor(plane_number), torch.as_tensor(has_mask)
        if not self.visible[index]:
            plane, labelled = torch.full_like(plane, -1), torch.zeros_like(labelled)
        teacher = torch.zeros(0)
        if self.store is not None and self._rows is not None:
            row = self._rows[index]
            k = int(torch.randint(self.store.views_per_frame, (1,)))
            view = self.store.view(row, k)
            frame, mask = view.apply(frame), view.apply_mask(mask)
            teacher = torch.from_numpy(self.store.embedding(row, k).astype("float32"))
        frame, mask = self._transform(tv_tensors.Image(frame), tv_tensors.Mask(mask))
        return Batch(
            frame.as_subclass(Tensor),
            mask.as_subclass(Tensor),
            plane,
            labelled,
            teacher,
            torch.tensor(index),
        )
