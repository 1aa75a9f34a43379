"""One augmented view of a frame, as numbers: the teacher and the student see the very same one.

Shifts are fractions of the side, so that a view of the teacher's source-resolution square and of
the student's letterbox is the same picture. What only the student should see (speckle, shadow,
text) is no part of it.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from fetalclip_edge.errors import InputError

ROW_LENGTH = 7
_MAX_ANGLE_DEG = 25.0
_MAX_SHIFT = 0.12
_SCALES = (0.75, 1.3)
_GAINS = (0.75, 1.3)
_GAMMAS = (0.8, 1.25)


@dataclass(frozen=True, slots=True)
class View:
    """A flip, then a scale and a turn about the centre, then a shift; then gain and gamma.

    Attributes:
        flip: left and right change places.
        angle_deg: turn, clockwise on the screen, in [-180, 180].
        shift_xy: shift to the right and down, as fractions of the side, in [-1, 1].
        scale: size of the content over its size before, in (0, 10].
        gain: factor on the pixel values, in (0, 10].
        gamma: exponent of the pixel values in [0, 1], in (0, 10].
    """

    flip: bool
    angle_deg: float
    shift_xy: tuple[float, float]
    scale: float
    gain: float
    gamma: float

    def __post_init__(self) -> None:
        # written so that NaN fails too
        if not (
            abs(self.angle_deg) <= 180.0
            and all(abs(shift) <= 1.0 for shift in self.shift_xy)
            and all(0.0 < factor <= 10.0 for factor in (self.scale, self.gain, self.gamma))
        ):
            raise InputError(
                "view",
                expected="angle in [-180, 180], shifts in [-1, 1], scale, gain, gamma in (0, 10]",
                arrived=repr(astuple(self)),
            )

    @classmethod
    def identity(cls) -> View:
        """Returns the view that changes nothing."""
        return cls(False, 0.0, (0.0, 0.0), 1.0, 1.0, 1.0)

    @classmethod
    def random(cls, generator: np.random.Generator) -> View:
        """Draws a view; turn, shift and scale are as strong as those of `distill.augment`."""
        draws = generator.uniform(-1.0, 1.0, 3) * (_MAX_ANGLE_DEG, _MAX_SHIFT, _MAX_SHIFT)
        factors = [
            math.exp(generator.uniform(*np.log(pair))) for pair in (_SCALES, _GAINS, _GAMMAS)
        ]
        flip = generator.random() < 0.5
        # by way of the row, so that what is stored is exactly what was applied
        return cls.from_row(np.array([flip, *draws, *factors], np.float32))

    def row(self) -> NDArray[np.float32]:
        """Returns float32 (7,): flip, angle, shift x, shift y, scale, gain, gamma."""
        return np.array(
            [self.flip, self.angle_deg, *self.shift_xy, self.scale, self.gain, self.gamma],
            np.float32,
        )

    @classmethod
    def from_row(cls, row: NDArray[np.float32]) -> View:
        """Returns the view of a `row()`.

        Raises:
            InputError: it is no such row.
        """
        if row.shape != (ROW_LENGTH,) or row[0] not in (0.0, 1.0):
            raise InputError(
                "row of a view",
                expected=f"{ROW_LENGTH} numbers, the first 0 or 1",
                arrived=f"{row.tolist()}",
            )
        flip, angle_deg, shift_x, shift_y, scale, gain, gamma = row.tolist()
        return cls(bool(flip), angle_deg, (shift_x, shift_y), scale, gain, gamma)

    def apply(self, square: Tensor) -> Tensor:
        """Returns the view of a frame.

        Args:
            square: uint8 (1, S, S) of any side S, on any device.

        Returns:
            uint8 (1, S, S); what comes from outside the square is 0.
        """
        moved = self.apply_mask(square)
        if self.gain == 1.0 and self.gamma == 1.0:
            return moved
        x = (moved.float() / 255.0 * self.gain).clamp_(0.0, 1.0) ** self.gamma
        return (x * 255.0).round_().to(torch.uint8)

    def apply_mask(self, mask: Tensor) -> Tensor:
        """Returns the view of a mask: as `apply`, the geometry alone."""
        if (self.flip, self.angle_deg, self.shift_xy, self.scale) == (False, 0.0, (0.0, 0.0), 1.0):
            return mask
        grid = F.affine_grid(self._matrix(mask.device), [1, *mask.shape], align_corners=False)
        moved = F.grid_sample(
            mask[None].float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
        return moved[0].round_().clamp_(0.0, 255.0).to(torch.uint8)

    def _matrix(self, device: torch.device) -> Tensor:
        """Returns (1, 2, 3): from the view back to the frame, both sides spanning [-1, 1].

        It is the inverse of x -> R(angle) scale diag(+-1, 1) x + 2 shift.
        """
        angle = math.radians(self.angle_deg)
        cos, sin = math.cos(angle) / self.scale, math.sin(angle) / self.scale
        mirror = -1.0 if self.flip else 1.0
        right, down = 2.0 * self.shift_xy[0], 2.0 * self.shift_xy[1]
        rows = (
            (mirror * cos, mirror * sin, -mirror * (cos * right + sin * down)),
            (-sin, cos, sin * right - cos * down),
        )
        return torch.tensor([rows], dtype=torch.float32, device=device)
