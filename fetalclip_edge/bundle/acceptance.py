"""The figures by which a model file of lower precision was let into its bundle."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from fetalclip_edge.bundle.fields import Part, Sha256


class AcceptanceFigure(Part):
    """How far a file is from the reference in one respect, and how far it was allowed to be."""

    name: Literal["hc_change_mean_mm", "hc_change_p95_mm", "dsc_drop", "plane_f1_drop"]
    value: float
    upper_95: float = Field(description="upper end of the 95 % bootstrap interval over frames")
    limit: float
    data: str
    n: Annotated[int, Field(ge=1)]


class Acceptance(Part):
    """Why a file of lower precision may be used: it held against the reference, figure by figure.

    The reference is the one of the golden frames. Changes are absolute, frame by frame; drops are
    reference minus file, as a share of 1. An INT8 file also says what its ranges came from.
    """

    ran_on: str = Field(description="what ran the file for these figures")
    split: str
    calibration_set_sha256: Sha256 | None = None
    ranges: str | None = Field(
        default=None, description="how activation ranges were taken from the calibration set"
    )
    float_layers: tuple[str, ...] = Field(
        default=(), description="layers of an INT8 file kept in floating point"
    )
    figures: Annotated[tuple[AcceptanceFigure, ...], Field(min_length=1)]
    command: str

    @model_validator(mode="after")
    def _held(self) -> Acceptance:
        for figure in self.figures:
            if figure.upper_95 > figure.limit:
                raise ValueError(
                    f"{figure.name} must stay within {figure.limit:g}, got up to "
                    f"{figure.upper_95:g}: such a file may not be in a bundle"
                )
        return self
