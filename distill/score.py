"""Validation scores of a student during training; the full evaluation runs on the bundle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.metrics import f1_score
from torch import nn
from torch.nn import functional

from distill.data.cache import CachedFrames
from distill.data.planes import FOUR_CLASSES, PLANES


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores on one set of frames.

    Attributes:
        dsc: mean Dice coefficient over the frames with a mask, in [0, 1].
        f1: macro F1 over brain, abdomen, femur and thorax of FETAL_PLANES_DB, in [0, 1].
    """

    dsc: float
    f1: float

    @property
    def merit(self) -> float:
        """What a checkpoint is chosen by."""
        return self.dsc + self.f1


@torch.no_grad()
def score(
    student: nn.Module, cached: CachedFrames, side_px: int | None = None, batch: int = 32
) -> Scores:
    """Returns the scores of `student` over every cached frame.

    Args:
        student: the network to score; left in evaluation mode.
        cached: frames with their labels.
        side_px: side at which the network is at home now; None is the cached size. Masks are
            compared at the cached size all the same.
        batch: frames a forward pass.
    """
    student.eval()
    dsc, truth, guess = [], [], []
    for start in range(0, len(cached), batch):
        rows = range(start, min(start + batch, len(cached)))
        x = cached.frames[rows.start : rows.stop].contiguous(memory_format=torch.channels_last)
        if side_px is not None and side_px != x.shape[-1]:
            x = functional.interpolate(x.float(), size=(side_px, side_px), mode="area")
        with torch.autocast("cpu", torch.bfloat16):
            out = student(x)
        masks = functional.interpolate(
            out.mask.float(), size=cached.masks.shape[-2:], mode="bilinear", align_corners=False
        )
        for k, row in enumerate(rows):
            sample = cached.samples[row]
            if sample.outline is not None:
                a, b = masks[k] > 0, cached.masks[row] > 127
                dsc.append(2.0 * float((a & b).sum()) / max(1.0, float(a.sum() + b.sum())))
            elif sample.plane is not None:
                truth.append(sample.plane)
                guess.append(int(out.plane[k].argmax()))
    four = tuple(PLANES.index(name) for name in FOUR_CLASSES)
    kept = [(t, g) for t, g in zip(truth, guess, strict=True) if t in four]
    f1 = 0.0
    if kept:
        pair = zip(*kept, strict=True)
        f1 = float(f1_score(*pair, labels=four, average="macro", zero_division=0.0))
    return Scores(dsc=sum(dsc) / len(dsc) if dsc else 0.0, f1=f1)
