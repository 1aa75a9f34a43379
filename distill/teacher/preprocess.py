"""From squares of any side to the teacher's input, as CLIP was trained to see."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from distill.teacher.manifest import PreprocessConfig


@dataclass(frozen=True, slots=True)
class TeacherPreprocess:
    """Antialiased bicubic resize to the model's side, gray repeated to RGB, mean and deviation.

    Attributes:
        size_px: side of the model's input.
        colours: mean and deviation.
    """

    size_px: int
    colours: PreprocessConfig

    def __call__(self, square: Tensor) -> Tensor:
        """Returns float32 (1, 3, size, size) for a uint8 square (1 or 3, S, S) of any side.

        The picture is rounded to steps of 1/255, as a resized 8-bit image has them.
        """
        x = square[None].float()
        if square.shape[-1] != self.size_px:
            size = (self.size_px, self.size_px)
            x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
        x = x.round_().clamp_(0.0, 255.0) / 255.0
        mean, std = (
            torch.tensor(rgb, device=square.device)[:, None, None]
            for rgb in (self.colours.mean, self.colours.std)
        )
        return (x.expand(-1, 3, -1, -1) - mean) / std
