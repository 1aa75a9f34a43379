"""How much a teacher's embedding of a frame depends on its colour: frames are shown to it gray."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from distill.teacher.square import is_colour, source_square, source_square_rgb
from distill.teacher.teacher import Teacher
from fetalclip_edge.frame import Pixels


@dataclass(frozen=True, slots=True)
class GrayRgb:
    """Cosines between the gray and the colour view of the frames that hold colour.

    Attributes:
        looked_at: frames looked at.
        cosines: one for each of them that holds colour.
    """

    looked_at: int
    cosines: tuple[float, ...]

    def __str__(self) -> str:
        """One line for a terminal."""
        if not self.cosines:
            return f"gray/RGB cosine: none, no frame of {self.looked_at} looked at holds colour"
        mean = sum(self.cosines) / len(self.cosines)
        return (
            f"gray/RGB cosine: mean {mean:.4f}, lowest {min(self.cosines):.4f}, "
            f"{len(self.cosines)} colour frames of {self.looked_at} looked at"
        )


def gray_rgb_cosine(teacher: Teacher, frames: Iterable[Pixels]) -> GrayRgb:
    """Returns how close gray and colour views are; gray frames have nothing to compare.

    Args:
        teacher: embeds both.
        frames: uint8 (H, W) or (H, W, 3) BGR.
    """
    looked_at, cosines = 0, []
    for pixels in frames:
        looked_at += 1
        if is_colour(pixels):
            colour, gray = source_square_rgb(pixels), source_square(pixels)
            cosines.append(float((teacher.embed([colour]) * teacher.embed([gray])).sum()))
    return GrayRgb(looked_at, tuple(cosines))
