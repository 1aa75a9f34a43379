"""What leaves the pipeline: typed results, the same for every face of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.geometry import Ellipse

ZERO_SHOT = "zero-shot"
"""Kind of a classification that no head was trained for."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What one classification head or text bank says.

    Attributes:
        head: name of the head or bank in the bundle.
        kind: what it classifies, "plane" for the plane head; "zero-shot" for a text bank.
        label: the class with the highest score.
        confidence: its score, in [0, 1].
        scores: (class, score) in the bundle's order; sums to 1.
    """

    head: str
    kind: str
    label: str
    confidence: float
    scores: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Structure:
    """One segmented structure.

    Attributes:
        name: structure name in the bundle, such as "head".
        score: mean probability inside the mask, in [0, 1]; 0 when the mask is empty.
        geometry: the fitted ellipse in source pixels, or None where none could be fitted.
        fit_residual: RMS distance of the contour from the ellipse over the mean half axis.
        border_fraction: share of the contour that touches the border of the region seen.
        mask: uint8 (H, W) in the source's own size, 255 inside; only where masks were asked for.
    """

    name: str
    score: float
    geometry: Ellipse | None
    fit_residual: float = math.nan
    border_fraction: float = 0.0
    mask: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One biometric measurement, or the reason why it is withheld.

    Attributes:
        kind: "HC", "BPD" or "OFD".
        structure: the structure it was taken from.
        convention: how the calipers lie, such as "outer-outer".
        value_mm: the raw value of this frame in mm; None when withheld.
        display_mm: the value smoothed over this epoch, for the screen; None when withheld.
        withheld_reason: why there is no value; None when there is one.
    """

    kind: str
    structure: str
    convention: str
    value_mm: float | None = None
    display_mm: float | None = None
    withheld_reason: str | None = None

    def __post_init__(self) -> None:
        if (self.value_mm is None) == (self.withheld_reason is None):
            raise ValueError(f"a measurement has a value or a reason, not both or none: {self}")


@dataclass(frozen=True, slots=True)
class GestationalAge:
    """An age read from a text bank, or the reason why it is withheld. Not for clinical use.

    Attributes:
        bank: name of the text bank.
        ga_days: gestational age in days; None when withheld.
        withheld_reason: why there is no age; None when there is one.
    """

    bank: str
    ga_days: int | None = None
    withheld_reason: str | None = None

    def __post_init__(self) -> None:
        if (self.ga_days is None) == (self.withheld_reason is None):
            raise ValueError(f"an age has a value or a reason, not both or none: {self}")


@dataclass(frozen=True, slots=True)
class StageLatency:
    """How long one stage of the pipeline took.

    Attributes:
        stage: "preprocess", "inference", "postprocess", ...
        ms: duration in milliseconds.
    """

    stage: str
    ms: float


@dataclass(frozen=True, slots=True)
class Result:
    """Everything the pipeline says about one frame.

    Attributes:
        frame_index: `Frame.index` of the frame it belongs to.
        timestamp_ns: `Frame.timestamp_ns` of that frame.
        geometry_epoch: `Frame.geometry_epoch` of that frame.
        classifications: one for each classification head, then one for each text bank of
            classes, in the bundle's order.
        structures: one for each structure of each segmentation head, in the bundle's order.
        measurements: one for each measurement that a structure yields.
        latency: stages in the order in which they ran.
        embedding: float32 (D,), L2-normalised.
        gestational_age: by the bundle's text bank of ages; None where it has none.
    """

    frame_index: int
    timestamp_ns: int
    geometry_epoch: int
    classifications: tuple[Classification, ...]
    structures: tuple[Structure, ...]
    measurements: tuple[Measurement, ...]
    latency: tuple[StageLatency, ...]
    embedding: NDArray[np.float32] = field(repr=False, compare=False)
    gestational_age: GestationalAge | None = None

    @property
    def plane(self) -> Classification | None:
        """The plane prediction, if the bundle has a plane head."""
        return next((item for item in self.classifications if item.kind == "plane"), None)

    @property
    def zero_shot(self) -> tuple[Classification, ...]:
        """What the text banks say; empty where the bundle has none."""
        return tuple(item for item in self.classifications if item.kind == ZERO_SHOT)

    def measurement(self, kind: str) -> Measurement | None:
        """Returns the first measurement of `kind` ("HC", "BPD", ...), or None."""
        return next((item for item in self.measurements if item.kind == kind), None)
