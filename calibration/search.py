"""Finds the file of a target that holds on validation frames with the fewest float layers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from calibration.frames import CalibrationSet
from calibration.gate import Verdict, judge
from calibration.held_out import HeldOut, Outcome
from calibration.quantize import Target, quantize
from calibration.ranges import Method, Ranges
from calibration.sensitivity import Sensitivity, fewest_float_layers, sensitivities
from fetalclip_edge.bundle.load import Bundle

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """One file that was judged on validation frames.

    Attributes:
        method: how its ranges were taken.
        float_layers: layers in floating point.
        verdict: what the gate said.
    """

    method: Method
    float_layers: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Found:
    """What the search came to.

    Attributes:
        target: what the file is for.
        model: the file.
        trial: the trial that it is.
        trials: every file that was judged, in order.
        layers: sensitivity of every layer, the most sensitive first.
    """

    target: Target
    model: bytes
    trial: Trial
    trials: tuple[Trial, ...]
    layers: tuple[Sensitivity, ...]


class Search:
    """Searches for one target after another on the same validation frames.

    Args:
        bundle: holds the fp32 file and says how outputs are read.
        ranges: of the network in the form that is quantized.
        chosen: the calibration set.
        validation: frames on which files are compared.
        reference: what the fp32 file says of them.
        reduce_range: see `quantize`.
        note: is told of every trial.
    """

    def __init__(
        self,
        bundle: Bundle,
        ranges: Ranges,
        chosen: CalibrationSet,
        validation: HeldOut,
        reference: list[Outcome],
        *,
        reduce_range: bool,
        note: Note,
    ) -> None:
        self._bundle = bundle
        self._ranges = ranges
        self._chosen = chosen
        self._validation = validation
        self._reference = reference
        self._reduce_range = reduce_range
        self._note = note

    def run(self, model: onnx.ModelProto, target: Target) -> Found:
        """Returns the best file for a target; whether it holds stands in its trial.

        The method of the ranges is the one with the smallest mean change of HC when every layer
        is quantized; then layers are spared until the gate passes.

        Args:
            model: what `quantize` takes.
            target: what the file is for.
        """
        trials: list[Trial] = []

        def attempt(method: Method, float_layers: tuple[str, ...]) -> Trial:
            known = next(
                (t for t in trials if (t.method, t.float_layers) == (method, float_layers)), None
            )
            if known is None:
                known = self._trial(model, target, method, float_layers)
                trials.append(known)
            return known

        whole = [attempt(method, ()) for method in Method]
        best = min(whole, key=lambda t: (t.verdict.lost, t.verdict.figures[0].value))
        self._note(f"{target.value}: {best.method.value} ranges; how much each layer suffers ...")
        order = sensitivities(model, self._ranges, best.method, target, self._chosen.squares)
        kept = fewest_float_layers(
            [item.layer for item in order],
            lambda layers: attempt(best.method, layers).verdict.passed,
        )
        final = attempt(best.method, () if kept is None else kept)
        made = self._file(model, target, final.method, final.float_layers)
        return Found(target, made, final, tuple(trials), order)

    def _trial(
        self, model: onnx.ModelProto, target: Target, method: Method, float_layers: tuple[str, ...]
    ) -> Trial:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / target.path
            path.write_bytes(self._file(model, target, method, float_layers))
            optimize = target is Target.ONNXRUNTIME
            outcomes = self._validation.outcomes(self._bundle, path, optimize=optimize)
        verdict = judge(self._reference, outcomes)
        spared = f", {len(float_layers)} layers in floating point" if float_layers else ""
        self._note(f"{target.value}: {method.value} ranges{spared}, validation: {verdict}")
        return Trial(method, float_layers, verdict)

    def _file(
        self, model: onnx.ModelProto, target: Target, method: Method, float_layers: tuple[str, ...]
    ) -> bytes:
        quantized = quantize(
            model,
            self._ranges,
            method,
            target,
            float_layers=float_layers,
            reduce_range=self._reduce_range,
        )
        described = {
            "bundle": self._bundle.manifest.name,
            "version": self._bundle.manifest.version,
            "precision": "int8",
            "target": target.value,
            "calibration_set_sha256": self._ranges.set_sha256,
        }
        del quantized.metadata_props[:]
        onnx.helper.set_model_props(quantized, described)
        # deterministic: protobuf leaves the order of map fields open, and the same frames and
        # weights have to give the same file
        return bytes(quantized.SerializeToString(deterministic=True))
