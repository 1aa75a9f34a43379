"""One line of the record: what a frame's JSON holds, as a published schema."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict

from fetalclip_edge.geometry import Ellipse
from fetalclip_edge.result import Classification, Structure
from fetalclip_edge.sinks.base import Report

SCHEMA_ID: Literal["fetalclip-edge/frame/1"] = "fetalclip-edge/frame/1"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class PlaneRecord(_Part):
    """The plane prediction; scores are by class and sum to 1."""

    label: str
    confidence: float
    scores: dict[str, float]


class EllipseRecord(_Part):
    """An ellipse in source pixels; the angle goes from +x towards +y."""

    type: Literal["ellipse"] = "ellipse"
    center_xy: tuple[float, float]
    semi_axes_px: tuple[float, float]
    angle_deg: float


class StructureRecord(_Part):
    """A structure; its geometry is null where none was found."""

    name: str
    score: float
    geometry: EllipseRecord | None


class MeasurementRecord(_Part):
    """A raw value in mm, or the reason why it is withheld."""

    kind: str
    structure: str
    convention: str
    value_mm: float | None
    withheld_reason: str | None


class ZeroShotRecord(PlaneRecord):
    """What a text bank says; `bank` is its name in the bundle."""

    bank: str


class GestationalAgeRecord(_Part):
    """An age in days by a text bank, or the reason why it is withheld. Not for clinical use."""

    bank: str
    ga_days: int | None
    withheld_reason: str | None


class FrameRecord(_Part):
    """One frame."""

    schema_id: Literal["fetalclip-edge/frame/1"] = SCHEMA_ID
    index: int | None
    timestamp_ns: int | None
    geometry_epoch: int | None
    age_ms: float | None
    state: str
    plane: PlaneRecord | None
    structures: tuple[StructureRecord, ...]
    measurements: tuple[MeasurementRecord, ...]
    zero_shot: tuple[ZeroShotRecord, ...] = ()
    gestational_age: GestationalAgeRecord | None = None
    latency_ms: dict[str, float]
    path: str | None = None

    def line(self) -> str:
        """Returns the JSON of one line; `path` is there only where it is known."""
        return self.model_dump_json(exclude={"path"} if self.path is None else None)


def record(report: Report) -> FrameRecord:
    """Returns the record of a report; without a frame it holds the state alone."""
    frame, result = report.frame, report.result
    plane = None if result is None else result.plane
    age = None if result is None else result.gestational_age
    return FrameRecord(
        index=None if frame is None else frame.index,
        timestamp_ns=None if frame is None else frame.timestamp_ns,
        geometry_epoch=None if frame is None else frame.geometry_epoch,
        age_ms=report.age_ms,
        state=report.state.value,
        plane=None
        if plane is None
        else PlaneRecord(label=plane.label, confidence=plane.confidence, scores=dict(plane.scores)),
        structures=() if result is None else tuple(map(_structure, result.structures)),
        measurements=()
        if result is None
        else tuple(
            MeasurementRecord(
                kind=item.kind,
                structure=item.structure,
                convention=item.convention,
                value_mm=item.value_mm,
                withheld_reason=item.withheld_reason,
            )
            for item in result.measurements
        ),
        zero_shot=() if result is None else tuple(map(_zero_shot, result.zero_shot)),
        gestational_age=None
        if age is None
        else GestationalAgeRecord(
            bank=age.bank, ga_days=age.ga_days, withheld_reason=age.withheld_reason
        ),
        latency_ms={stage.stage: round(stage.ms, 4) for stage in report.latency},
        path=report.path,
    )


def _zero_shot(item: Classification) -> ZeroShotRecord:
    return ZeroShotRecord(
        label=item.label, confidence=item.confidence, scores=dict(item.scores), bank=item.head
    )


def _structure(structure: Structure) -> StructureRecord:
    geometry = None if structure.geometry is None else _ellipse(structure.geometry)
    return StructureRecord(name=structure.name, score=structure.score, geometry=geometry)


def _ellipse(ellipse: Ellipse) -> EllipseRecord:
    return EllipseRecord(
        center_xy=ellipse.center_xy,
        semi_axes_px=(ellipse.semi_major, ellipse.semi_minor),
        angle_deg=math.degrees(ellipse.angle_rad),
    )
