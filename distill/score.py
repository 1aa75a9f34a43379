"""Validation scores of a student during training; the full evaluation runs on the bundle."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from sklearn.metrics import f1_score
from torch import nn
from torch.nn import functional

from distill.data.cache import CachedFrames
from distill.data.planes import FOUR_CLASSES, PLANES


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores on one set of frames; None where nothing of the kind is trained or labelled.

    Attributes:
        dsc: mean Dice coefficient over the labelled masks of every structure, in [0, 1].
        f1: macro F1 over brain, abdomen, femur and thorax, HC18 left out, in [0, 1].
        agreement: mean cosine with the teacher's embedding of the same frame, in [-1, 1].
    """

    dsc: float | None
    f1: float | None
    agreement: float | None = None

    @property
    def merit(self) -> float:
        """What a checkpoint is chosen by: the sum of what there is."""
        return sum(value for value in (self.dsc, self.f1, self.agreement) if value is not None)


@dataclass(frozen=True, slots=True)
class ScoredFrames:
    """Frames to score on, and what of a student is to be scored.

    Attributes:
        cached: the frames with their labels.
        mask: whether the mask head is trained.
        plane: whether the plane head is trained.
        teacher: float32 (N, D), the teacher's embeddings of the frames as they are, or None.
    """

    cached: CachedFrames
    mask: bool
    plane: bool
    teacher: torch.Tensor | None = None


@torch.no_grad()
def score(
    student: nn.Module,
    frames: ScoredFrames,
    autocast: Callable[[], AbstractContextManager[None]],
    side_px: int | None = None,
    batch: int = 32,
) -> Scores:
    """Returns the scores of `student` over every frame.

    Args:
        student: the network to score, on any device; left in evaluation mode.
        frames: what it is scored on.
        autocast: context of the arithmetic it is trained in.
        side_px: side at which the network is at home now; None is the cached size. Masks are
            compared at the cached size all the same.
        batch: frames a forward pass.
    """
    student.eval()
    device = next(student.parameters()).device
    cached = frames.cached
    dsc, truth, guess, cosines = list[float](), list[int](), list[int](), list[float]()
    for start in range(0, len(cached), batch):
        rows = range(start, min(start + batch, len(cached)))
        x = cached.frames[rows.start : rows.stop].to(device)
        x = x.contiguous(memory_format=torch.channels_last)
        if side_px is not None and side_px != x.shape[-1]:
            x = functional.interpolate(x.float(), size=(side_px, side_px), mode="area")
        with autocast():
            out = student(x)
        masks = functional.interpolate(
            out.mask.float(), size=cached.masks.shape[-2:], mode="bilinear", align_corners=False
        ).cpu()
        if frames.teacher is not None:
            teacher = frames.teacher[rows.start : rows.stop]
            cosines += (out.embedding.float().cpu() * teacher).sum(dim=1).tolist()
        for k, row in enumerate(rows):
            sample = cached.samples[row]
            for channel in cached.labelled[row].nonzero().flatten():
                a, b = masks[k, channel] > 0, cached.masks[row, channel] > 127
                total = float(a.sum() + b.sum())
                dsc.append(2.0 * float((a & b).sum()) / total if total else 1.0)
            # frames with a drawn outline are heads one and all: they say nothing of planes
            if sample.outline is None and sample.plane is not None:
                truth.append(sample.plane)
                guess.append(int(out.plane[k].argmax()))
    four = tuple(PLANES.index(name) for name in FOUR_CLASSES)
    kept = [(t, g) for t, g in zip(truth, guess, strict=True) if t in four]
    f1 = None
    if frames.plane and kept:
        pair = zip(*kept, strict=True)
        f1 = float(f1_score(*pair, labels=four, average="macro", zero_division=0.0))
    return Scores(
        dsc=sum(dsc) / len(dsc) if frames.mask and dsc else None,
        f1=f1,
        agreement=sum(cosines) / len(cosines) if cosines else None,
    )
