"""Augmentation for ultrasound, as torchvision v2 transforms over uint8 frames and masks.

Geometry moves frame and mask together; appearance changes the frame alone. The strengths are
those of the recipe that trained the shipped model.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torchvision import tv_tensors
from torchvision.transforms import v2


def _uniform(low: float, high: float) -> float:
    return float(torch.empty(1).uniform_(low, high))


class _FrameTransform(v2.Transform):  # type: ignore[misc]  # torchvision is untyped
    """Changes `tv_tensors.Image` (1, S, S) uint8 with probability `p`; leaves masks alone."""

    _transformed_types = (tv_tensors.Image,)

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:  # noqa: ANN401
        if float(torch.rand(1)) >= self.p:
            return inpt
        changed = self.change(inpt.float() / 255.0).clamp_(0.0, 1.0)
        return tv_tensors.wrap((changed * 255.0).round_().to(torch.uint8), like=inpt)

    def change(self, x: Tensor) -> Tensor:
        """Returns the changed frame; `x` is float (1, S, S) in [0, 1]."""
        raise RuntimeError("a frame transform defines change()")


class Gain(_FrameTransform):
    """Overall gain and gamma: the knob that sonographers turn most."""

    def change(self, x: Tensor) -> Tensor:  # noqa: D102
        return (x * _uniform(0.6, 1.5)).clamp_(0.0, 1.0) ** _uniform(0.65, 1.5)


class Speckle(_FrameTransform):
    """Multiplicative noise with a random grain, as coherent imaging has."""

    def change(self, x: Tensor) -> Tensor:  # noqa: D102
        side = x.shape[-1]
        grain = max(8, int(side / _uniform(1.0, 3.0)))
        noise = torch.randn(1, 1, grain, grain)
        noise = F.interpolate(noise, size=(side, side), mode="bilinear", align_corners=False)[0]
        return x * (1.0 + _uniform(0.05, 0.3) * noise)


class Shadow(_FrameTransform):
    """A dark wedge from the top, as behind bone or gas."""

    def change(self, x: Tensor) -> Tensor:  # noqa: D102
        side = x.shape[-1]
        axis = torch.linspace(-1.0, 1.0, side)
        center = _uniform(-0.8, 0.8) + _uniform(-0.5, 0.5) * (axis[:, None] + 1.0)
        width = _uniform(0.05, 0.2)
        across = (axis[None, :] - center).abs() / width  # (S, S)
        depth = torch.sigmoid((axis[:, None] - _uniform(-0.9, 0.3)) * 8.0)
        return x * (1.0 - _uniform(0.3, 0.9) * torch.exp(-(across**2)) * depth)


class BurntInText(_FrameTransform):
    """Small bright glyph-like boxes near the border, so that text is never a clue."""

    def change(self, x: Tensor) -> Tensor:  # noqa: D102
        side = x.shape[-1]
        x = x.clone()
        height, columns = int(_uniform(3, 8)), int(_uniform(3, min(14.0, (side - 1) / 5)))
        top, left = int(_uniform(0, side - 9)), int(_uniform(0, side - columns * 5 - 1))
        glyphs = (torch.rand(height, columns * 4) > 0.5).float() * _uniform(0.5, 1.0)
        x[0, top : top + height, left : left + columns * 4].copy_(
            torch.maximum(x[0, top : top + height, left : left + columns * 4], glyphs)
        )
        return x


def _noise() -> list[v2.Transform]:
    """Returns what changes a frame but not where things lie in it."""
    return [
        Speckle(0.5),
        Shadow(0.3),
        BurntInText(0.3),
        v2.RandomApply([v2.GaussianBlur(5, (0.3, 1.5))], p=0.2),
    ]


def train_transform() -> v2.Compose:
    """Returns the augmentation of training; takes (Image, Mask), both uint8 (1, S, S).

    Scale and shift stand for depth and position; rotation and flip for the probe's pose.
    """
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(0.5),
            v2.RandomVerticalFlip(0.2),
            v2.RandomAffine(
                degrees=25,
                translate=(0.12, 0.12),
                scale=(0.75, 1.3),
                shear=(-4, 4, -4, 4),
                interpolation=v2.InterpolationMode.BILINEAR,
            ),
            Gain(0.8),
            *_noise(),
        ]
    )


def appearance_transform() -> v2.Compose:
    """Returns the noise that a student sees on top of a view that its teacher saw clean."""
    return v2.Compose(_noise())
