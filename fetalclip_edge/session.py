"""The pipeline: a bundle in; a frame with time and scale in; a typed result out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.biometry import Shape, find_shape, measure
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import (
    ClassificationHead,
    Gate,
    SegmentationHead,
    StructureSpec,
)
from fetalclip_edge.classify import classify
from fetalclip_edge.errors import BundleError, CheckFailedError
from fetalclip_edge.frame import Frame
from fetalclip_edge.preprocess import Letterbox, preprocess
from fetalclip_edge.result import (
    PLANE,
    Classification,
    GestationalAge,
    Measurement,
    Result,
    StageLatency,
    Structure,
)
from fetalclip_edge.runners.base import Outputs, Runner, RunnerInfo
from fetalclip_edge.textbank.entry import GestationalAgeBank, PlaneBank
from fetalclip_edge.textbank.zero_shot import age_by_text, classify_by_text

SMOOTHING = 0.25
"""Weight of the newest value in the display's exponential smoothing."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frame with the network's input made of it.

    Attributes:
        frame: the frame.
        tensor: uint8 (1, 1, S, S).
        letterbox: from the frame to the tensor.
        latency: how long it took.
    """

    frame: Frame
    tensor: NDArray[np.uint8]
    letterbox: Letterbox
    latency: StageLatency


class Session:
    """One stream over a loaded model; may be called from any thread, one frame at a time.

    Several sessions share a runner: each owns its buffers and its smoothing.

    Args:
        bundle: a checked bundle.
        runner: an entered runner of one of the bundle's files.
        gate: withhold measurements that the bundle's thresholds do not allow. Without it every
            ellipse that could be fitted is measured, for evaluation only.
    """

    def __init__(self, bundle: Bundle, runner: Runner, *, gate: bool = True) -> None:
        self._manifest = bundle.manifest
        self._gate = self._manifest.gate if gate else None
        self._info = runner.info()
        self._context = runner.new_context()
        self._text_banks = tuple(
            (entry, bundle.text_bank(entry)) for entry in self._manifest.text_banks
        )
        self._lock = threading.Lock()
        self._epoch: int | None = None
        self._smoothed: dict[tuple[str, str], float] = {}

    @property
    def info(self) -> RunnerInfo:
        """What really runs."""
        return self._info

    def process(self, frame: Frame, *, want_masks: bool = False) -> Result:
        """Runs the whole pass on one frame.

        Args:
            frame: the frame; nothing is given in mm unless its scale is known.
            want_masks: also return masks, uint8 in the source's own size.
        """
        return self.finish(self.prepare(frame), want_masks=want_masks)

    def prepare(self, frame: Frame) -> Prepared:
        """Does what comes before the network; touches no state, so any thread may do it ahead.

        Args:
            frame: the frame.
        """
        began = time.perf_counter()
        tensor, letterbox = preprocess(frame, self._manifest.input.size_px)
        spent_ms = (time.perf_counter() - began) * 1e3
        latency = StageLatency("preprocess", spent_ms)
        return Prepared(frame, tensor, letterbox, latency)

    def finish(self, prepared: Prepared, *, want_masks: bool = False) -> Result:
        """Runs the network and all that follows on a frame that this session prepared.

        Args:
            prepared: frames in their order.
            want_masks: see `process`.
        """
        with self._lock:
            return self._finish(prepared, want_masks)

    def _finish(self, prepared: Prepared, want_masks: bool) -> Result:
        frame, letterbox = prepared.frame, prepared.letterbox
        if frame.geometry_epoch != self._epoch:
            self._epoch = frame.geometry_epoch
            self._smoothed.clear()
        clock = [time.perf_counter()]
        outputs = self._context.infer(prepared.tensor)
        clock.append(time.perf_counter())

        plane_head = self._manifest.plane_head
        plane = None if plane_head is None else self._classify(plane_head, PLANE, outputs)
        classifications = (() if plane is None else (plane,)) + tuple(
            self._classify(head, head.name, outputs)
            for head in self._manifest.heads
            if isinstance(head, ClassificationHead)
            and head is not plane_head
            and _wrong_plane(head.valid_planes, plane, self._gate) is None
        )
        structures: list[Structure] = []
        measurements: list[Measurement] = []
        for head in self._manifest.heads:
            if not isinstance(head, SegmentationHead):
                continue
            logits = self._output(outputs, head.output)[0]
            for channel, spec in zip(logits, head.structures, strict=True):
                shape = find_shape(channel, letterbox)
                structures.append(_structure(spec, shape, channel, letterbox, frame, want_masks))
                reason = _withheld(shape, head, plane, frame, self._gate)
                measurements += self._measure(spec, shape, frame, reason)
        embedding = self._output(outputs, self._manifest.embedding_space.output)[0].copy()
        zero_shot = tuple(
            classify_by_text(bank, vectors, embedding)
            for bank, vectors in self._text_banks
            if isinstance(bank, PlaneBank)
        )
        age = next(
            (
                self._age(bank, vectors, embedding, letterbox, plane, frame)
                for bank, vectors in self._text_banks
                if isinstance(bank, GestationalAgeBank)
            ),
            None,
        )
        clock.append(time.perf_counter())
        stages = ("inference", "postprocess")
        return Result(
            frame_index=frame.index,
            timestamp_ns=frame.timestamp_ns,
            geometry_epoch=frame.geometry_epoch,
            classifications=classifications + zero_shot,
            structures=tuple(structures),
            measurements=tuple(measurements),
            latency=(
                prepared.latency,
                *(
                    StageLatency(stage, (end - begin) * 1e3)
                    for stage, begin, end in zip(stages, clock[:-1], clock[1:], strict=True)
                ),
            ),
            embedding=embedding,
            gestational_age=age,
        )

    def _classify(self, head: ClassificationHead, kind: str, outputs: Outputs) -> Classification:
        return classify(head.name, kind, head.classes, self._output(outputs, head.output)[0])

    @staticmethod
    def _output(outputs: Outputs, name: str) -> NDArray[np.float32]:
        if name not in outputs:
            raise BundleError(
                f"model output {name!r}",
                expected="an output that the manifest names",
                arrived=", ".join(outputs) or "no outputs",
                remedy="Export the bundle again",
            )
        if not np.isfinite(outputs[name]).all():
            raise CheckFailedError(
                f"model output {name!r}",
                expected="finite numbers",
                arrived="infinite or undefined ones",
                remedy="Do not use this model on this machine; try another backend or precision",
            )
        return outputs[name]

    def _age(
        self,
        bank: GestationalAgeBank,
        vectors: NDArray[np.float32],
        embedding: NDArray[np.float32],
        letterbox: Letterbox,
        plane: Classification | None,
        frame: Frame,
    ) -> GestationalAge:
        reason = _wrong_plane(bank.valid_planes, plane, self._gate)
        if reason is not None:
            return GestationalAge(bank.name, withheld_reason=reason)
        return age_by_text(bank, vectors, embedding, letterbox.roi, frame.scale)

    def _measure(
        self, spec: StructureSpec, shape: Shape, frame: Frame, reason: str | None
    ) -> list[Measurement]:
        measurements = []
        for item in spec.measurements:
            value = display = None
            key = (spec.name, item.kind)
            if reason is None and shape.ellipse is not None and frame.scale is not None:
                value = measure(item.kind, shape.ellipse, frame.scale.spacing_mm_rc)
                before = self._smoothed.get(key, value)
                display = before + SMOOTHING * (value - before)
                self._smoothed[key] = display
            else:
                self._smoothed.pop(key, None)  # a gap starts the smoothing afresh
            measurements.append(
                Measurement(item.kind, spec.name, item.convention, value, display, reason)
            )
        return measurements


def _structure(
    spec: StructureSpec,
    shape: Shape,
    logits: NDArray[np.float32],
    letterbox: Letterbox,
    frame: Frame,
    want_mask: bool,
) -> Structure:
    mask = None
    if want_mask:
        mask = np.where(letterbox.map_to_source(logits, frame.size_hw) > 0, 255, 0)
        mask = mask.astype(np.uint8)
    return Structure(
        name=spec.name,
        score=shape.score,
        geometry=shape.ellipse,
        fit_residual=shape.fit_residual,
        border_fraction=shape.border_fraction,
        mask=mask,
    )


def _withheld(
    shape: Shape,
    head: SegmentationHead,
    plane: Classification | None,
    frame: Frame,
    gate: Gate | None,
) -> str | None:
    """Returns why nothing may be measured on this shape, or None."""
    if shape.ellipse is None:
        return "structure not found"
    reason = _wrong_plane(head.valid_planes, plane, gate)
    if reason is not None:
        return reason
    if gate is not None:
        if shape.score < gate.min_structure_score:
            return "outline uncertain"
        if shape.fit_residual > gate.max_fit_residual:
            return "outline is no ellipse"
        if shape.border_fraction > gate.max_border_fraction:
            return "cut off by the border"
    if frame.scale is None:
        return "scale unknown"
    return None


def _wrong_plane(
    valid_planes: tuple[str, ...], plane: Classification | None, gate: Gate | None
) -> str | None:
    """Returns why this plane allows nothing, or None."""
    if gate is None or not valid_planes or plane is None:
        return None
    if plane.label not in valid_planes:
        return f"plane is {plane.label}"
    if plane.confidence < gate.min_plane_confidence:
        return "plane uncertain"
    return None
