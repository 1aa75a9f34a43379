"""What a calibration came to, as JSON: the record that the report is drawn from."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from calibration.calibrating import RAN_ON, Calibrated, Candidate
from calibration.coverage import CoverageRow
from calibration.gate import Figure, Verdict
from calibration.half import RAN_ON as HALF_RAN_ON
from calibration.half import HalfCandidate
from calibration.ranges import PERCENT, TensorRange
from calibration.sensitivity import Sensitivity
from calibration.speed import WORTH_IT
from fetalclip_edge.bundle.manifest import Backend, Precision


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One file of the search, on validation frames."""

    ranges: str
    float_layers: tuple[str, ...]
    passed: bool
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class SpeedRecord:
    """One network pass of both files on the calibrating machine, taking turns, in ms."""

    rounds: int
    fp32_p50_ms: float
    int8_p50_ms: float
    ratio: float
    worth_it: bool


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """One INT8 file.

    Attributes:
        target: "int8-ort" or "int8-trt".
        source_precision: of the file that Q/DQ were put into.
        ran_on: what ran it for these figures.
        passed: whether it may enter a bundle.
        reasons: why not.
        bytes: its size.
        share_of_fp32: of the fp32 file's size.
        ranges: how they were taken.
        float_layers: layers in floating point.
        validation: figures on the frames of the search.
        test: figures on the frames of the gate; empty where it was not asked.
        speed: None where the file was not timed.
        trials: the search.
        sensitivities: of every layer.
    """

    target: str
    source_precision: str
    ran_on: str
    passed: bool
    reasons: tuple[str, ...]
    bytes: int
    share_of_fp32: float
    ranges: str
    float_layers: tuple[str, ...]
    validation: tuple[Figure, ...]
    test: tuple[Figure, ...]
    speed: SpeedRecord | None
    trials: tuple[TrialRecord, ...]
    sensitivities: tuple[Sensitivity, ...]


@dataclass(frozen=True, slots=True)
class HalfRecord:
    """What the gate said of the bundle's fp16 file, on test frames."""

    ran_on: str
    passed: bool
    reasons: tuple[str, ...]
    test: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole calibration."""

    bundle: str
    version: str
    digest: str
    calibration_set_sha256: str
    calibration_frames: int
    passed_over: tuple[tuple[str, int], ...]
    coverage: tuple[CoverageRow, ...]
    gaps: tuple[str, ...]
    validation_frames: int
    test_frames: int
    held_out_left_out: int
    targets: tuple[TargetRecord, ...]
    half: HalfRecord | None
    tensors: tuple[TensorRange, ...]

    def json(self) -> str:
        """Returns the record, indent 2; the tensors' ranges have a file of their own."""
        fields = asdict(self)
        del fields["tensors"]
        return json.dumps(_plain(fields), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def summarize(calibrated: Calibrated) -> Summary:
    """Returns the summary of a calibration."""
    fp32_bytes = calibrated.bundle.entry(Backend.ONNXRUNTIME, Precision.FP32).bytes
    bundle, chosen = calibrated.bundle, calibrated.chosen
    return Summary(
        bundle=bundle.manifest.name,
        version=bundle.manifest.version,
        digest=bundle.digest,
        calibration_set_sha256=chosen.sha256,
        calibration_frames=len(chosen.names),
        passed_over=chosen.passed_over,
        coverage=chosen.rows,
        gaps=chosen.gaps,
        validation_frames=len(calibrated.validation.frames),
        test_frames=len(calibrated.test.frames),
        held_out_left_out=calibrated.seen,
        targets=tuple(_target(candidate, fp32_bytes) for candidate in calibrated.candidates),
        half=_half(calibrated.half),
        tensors=calibrated.ranges.tensors,
    )


def advice(record: TargetRecord) -> str:
    """Returns in one sentence what to make of a file."""
    if not record.passed:
        return f"{record.target} may not be used: {'; '.join(record.reasons)}."
    if record.speed is None:
        return f"{record.target} holds; how fast it is shows on its own backend alone."
    times = f"{record.speed.ratio:.2f} times as fast as fp32 on this machine"
    if record.speed.worth_it:
        return f"{record.target} holds and is {times}."
    return f"{record.target} holds but is not worth it: {times}, less than {WORTH_IT:g}; use fp32."


def half_advice(record: HalfRecord) -> str:
    """Returns in one sentence what to make of the fp16 file."""
    if record.passed:
        return "fp16 holds; how fast it is shows on its own backend alone."
    return f"fp16 is only run where it is named: {'; '.join(record.reasons)}."


def method_note() -> str:
    """Returns how the ranges were taken, in words."""
    return (
        f"min-max: all values; percentile: {PERCENT:g} % of them; entropy: least divergence of "
        "8 bits from the values"
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 (whatever JSON can hold)
    """Returns the value with null for what is not finite: a change where no head was found."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _half(candidate: HalfCandidate | None) -> HalfRecord | None:
    if candidate is None:
        return None
    verdict = candidate.verdict
    return HalfRecord(HALF_RAN_ON, verdict.passed, verdict.reasons, verdict.figures)


def _target(candidate: Candidate, fp32_bytes: int) -> TargetRecord:
    found, test = candidate.found, candidate.verdict
    trial = found.trial
    speed = None
    if candidate.speed is not None:
        speed = SpeedRecord(
            rounds=candidate.speed.fp32.n,
            fp32_p50_ms=round(candidate.speed.fp32.p50_ms, 3),
            int8_p50_ms=round(candidate.speed.int8.p50_ms, 3),
            ratio=round(candidate.speed.ratio, 3),
            worth_it=candidate.speed.worth_it,
        )
    failed: Verdict = test or trial.verdict
    return TargetRecord(
        target=found.target.value,
        source_precision=candidate.source.value,
        ran_on=RAN_ON[found.target],
        passed=candidate.passed,
        reasons=failed.reasons,
        bytes=len(found.model),
        share_of_fp32=round(len(found.model) / fp32_bytes, 4),
        ranges=trial.method.value,
        float_layers=trial.float_layers,
        validation=trial.verdict.figures,
        test=() if test is None else test.figures,
        speed=speed,
        trials=tuple(
            TrialRecord(t.method.value, t.float_layers, t.verdict.passed, t.verdict.figures)
            for t in found.trials
        ),
        sensitivities=found.layers,
    )
