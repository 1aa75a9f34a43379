"""From squares of any side to the teacher's input, as CLIP was trained to see."""

from __future__ import annotations

from collections.abc import Sequence
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

    def __call__(self, squares: Sequence[Tensor]) -> Tensor:
        """Returns float32 (B, 3, size, size) for uint8 squares (1 or 3, S, S) of any sides."""
        mean = torch.tensor(self.colours.mean, device=squares[0].device)[:, None, None]
        std = torch.tensor(self.colours.std, device=squares[0].device)[:, None, None]
        return torch.stack([(self._resize(square) - mean) / std for square in squares])

    def _resize(self, square: Tensor) -> Tensor:
        """Returns float32 (3, size, size) in [0, 1], in steps of 1/255 as an 8-bit image has."""
        x = square[None].float()
        if square.shape[-1] != self.size_px:
            size = (self.size_px, self.size_px)
            x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False)
        return (x.round_().clamp_(0.0, 255.0) / 255.0)[0].expand(3, -1, -1)
