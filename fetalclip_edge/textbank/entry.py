"""What a manifest says of a bank of text embeddings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from fetalclip_edge.bundle.fields import BundlePath, Name, Part, Sha256

MAX_BANK_BYTES = 256 * 2**20
"""A larger bank is refused: it is held in memory on the cart."""

TOP_DAYS = 15
"""The age is the middle one of so many best days, so a grid holds at least as many."""


class _Bank(Part):
    """A `.npy` file, float32 (N, D), and where its words come from.

    `licence` fields are those of the teacher's weights and of the prompts; both hold for the
    bank. `stand_in` says that the teacher only stands in for the one that is meant.
    """

    name: Name
    path: BundlePath
    sha256: Sha256
    bytes: Annotated[int, Field(gt=0, le=MAX_BANK_BYTES)]
    embedding_space: Name
    teacher: str
    teacher_licence: str
    stand_in: bool
    prompts_sha256: Sha256
    prompts_licence: str


class PlaneBank(_Bank):
    """One unit vector a class: the normalised mean of its normalised prompts.

    `logit_scale` multiplies cosines before the softmax, as in the teacher's training.
    """

    kind: Literal["plane"] = "plane"
    classes: Annotated[tuple[Name, ...], Field(min_length=2)]
    logit_scale: Annotated[float, Field(gt=0, le=1000)]

    @property
    def rows(self) -> int:
        """Vectors in the file."""
        return len(self.classes)


class DayGrid(Part):
    """Gestational ages, one each day."""

    first_ga_days: Annotated[int, Field(ge=1, le=310)]
    count: Annotated[int, Field(ge=TOP_DAYS, le=310)]


class SpacingGrid(Part):
    """Pixel spacings that prompts name, in mm per pixel of the teacher's prompt size."""

    first_mm: Annotated[float, Field(gt=0, le=100)]
    step_mm: Annotated[float, Field(gt=0, le=100)]
    count: Annotated[int, Field(ge=1, le=10_000)]

    @property
    def last_mm(self) -> float:
        """The largest spacing."""
        return self.first_mm + (self.count - 1) * self.step_mm

    def values_mm(self) -> tuple[float, ...]:
        """Returns every spacing, in the order of the file."""
        return tuple(self.first_mm + i * self.step_mm for i in range(self.count))

    def nearest(self, spacing_mm: float) -> int | None:
        """Returns the place of the nearest spacing, or None beyond half a step of the ends."""
        place = (spacing_mm - self.first_mm) / self.step_mm
        if not -0.5 <= place <= self.count - 0.5:
            return None
        return min(max(round(place), 0), self.count - 1)


class GestationalAgeBank(_Bank):
    """One vector for each spacing and day, all days of the first spacing first.

    A vector is the mean of its normalised prompts, not normalised again: its dot product with
    an image's embedding is then exactly the mean of the dot products with each prompt.
    `valid_planes` are the planes on which an age may be shown.
    """

    kind: Literal["gestational_age"] = "gestational_age"
    valid_planes: Annotated[tuple[Name, ...], Field(min_length=1)]
    days: DayGrid
    spacings: SpacingGrid
    prompt_size_px: Annotated[int, Field(ge=32, le=2048)]

    @property
    def rows(self) -> int:
        """Vectors in the file."""
        return self.spacings.count * self.days.count


TextBankEntry = Annotated[PlaneBank | GestationalAgeBank, Field(discriminator="kind")]
