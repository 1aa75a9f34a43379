"""A bundle and frames to the same bundle with INT8 files in it, or to the reasons why not."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx.reference import ReferenceEvaluator

from calibration.form import Form, choose_form
from calibration.frames import CalibrationSet, choose_frames
from calibration.gate import Verdict, judge
from calibration.golden import golden_tolerance
from calibration.graph import prepared, typed
from calibration.half import HalfCandidate, judge_half
from calibration.held_out import HeldOut, Outcome
from calibration.quantize import Target
from calibration.ranges import Ranges, compute_ranges, load_ranges, ranges_path
from calibration.search import Found, Search
from calibration.sensitivity import relative_rms
from calibration.speed import Speed, measure_speed
from calibration.splits import unseen
from fetalclip_edge.bundle.acceptance import Acceptance
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, FileEntry, Precision, Tolerance
from fetalclip_edge.bundle.write import file_entry
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.labelled_frames import LabelledFrame
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner
from fetalclip_edge.session import Session

COMMAND = "fetalclip-edge calibrate"
RAN_ON = {
    Target.ONNXRUNTIME: "ONNX Runtime on a CPU",
    Target.TENSORRT: "ONNX Runtime on a CPU, graph as written: not run on TensorRT",
}

_REFERENCE_FRAMES = 2
_REFERENCE_ERROR = 0.05
"""ONNX's reference evaluator and ONNX Runtime round a sum differently, and a value that lies
between two INT8 levels then falls to the other one: a relative RMS of 0.02 was seen, no more than
INT8 itself is off."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be calibrated, and by what.

    Attributes:
        bundle: holds the fp32 file.
        where: frames for the ranges; see `choose_frames`.
        labelled: frames with their split, for the search and for the gate.
        targets: what to make files for.
        folder: where ranges are kept.
        reduce_range: see `quantize`.
        note: is told how it goes.
    """

    bundle: Bundle
    where: tuple[str, ...]
    labelled: Sequence[LabelledFrame]
    targets: tuple[Target, ...]
    folder: Path
    reduce_range: bool
    note: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One INT8 file with all that is known of it.

    Attributes:
        found: the file and how it was found.
        source: precision of the file that Q/DQ were put into.
        verdict: the gate's on test frames, or None where it did not pass on validation frames.
        outcomes: what it says of the test frames, in the order of `Calibrated.test`.
        speed: against fp32, for a file that runs here as it runs on a cart; else None.
        tolerance: its golden tolerance, or None where the gate did not pass.
    """

    found: Found
    source: Precision
    verdict: Verdict | None
    outcomes: tuple[Outcome, ...]
    speed: Speed | None
    tolerance: Tolerance | None

    @property
    def passed(self) -> bool:
        """Whether it may enter a bundle."""
        return self.verdict is not None and self.verdict.passed and self.tolerance is not None

    def entry(self, ranges: Ranges, split: str) -> FileEntry:
        """Returns its entry in the manifest; `CheckFailedError` unless it holds."""
        if self.verdict is None:
            raise CheckFailedError("INT8 gate", arrived="a file that failed on validation frames")
        target, trial = self.found.target, self.found.trial
        opset = next(o.version for o in onnx.load_model_from_string(self.found.model).opset_import)
        entry = file_entry(target.path, target.backend, Precision.INT8, opset, self.found.model)
        acceptance = Acceptance(
            ran_on=RAN_ON[target],
            split=split,
            calibration_set_sha256=ranges.set_sha256,
            ranges=trial.method.value,
            float_layers=trial.float_layers,
            figures=self.verdict.accepted(),
            command=COMMAND,
        )
        return entry.model_copy(update={"acceptance": acceptance})


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What came of it.

    Attributes:
        bundle: as it was.
        chosen: the calibration set.
        ranges: activation ranges of the fp32 network in the form that is quantized.
        validation: frames that the search used.
        test: frames that the gate used, once.
        reference: what fp32 says of the test frames.
        seen: held-out frames left out as the calibration set shows them too.
        candidates: one for each target.
        half: what the gate says of the bundle's fp16 file; None where it has none.
    """

    bundle: Bundle
    chosen: CalibrationSet
    ranges: Ranges
    validation: HeldOut
    test: HeldOut
    reference: tuple[Outcome, ...]
    seen: int
    candidates: tuple[Candidate, ...]
    half: HalfCandidate | None


def calibrate(request: Request) -> Calibrated:
    """Makes and judges one INT8 file a target; writes nothing but the ranges.

    Raises:
        InputError: the frames do not do.
        CheckFailedError: the splits leak.
    """
    bundle, note = request.bundle, request.note
    fp32 = bundle.model_path(Backend.ONNXRUNTIME, Precision.FP32)
    with OnnxRuntimeRunner(fp32, precision="fp32") as runner:
        session = Session(bundle, runner, gate=False)
        chosen = choose_frames(request.where, session, bundle.manifest)
    note(f"calibration set of {len(chosen.names)} frames, sha256 {chosen.sha256[:12]}")
    for gap in chosen.gaps:
        note(f"calibration set: {gap}")
    plain = prepared(fp32.read_bytes())
    form = choose_form(plain, chosen.squares)
    model = form.apply(plain)
    note(f"channels of {len(form.plan)} tensors brought to like ranges")
    ranges = form.known(_ranges(request, model, chosen))
    splits = {
        split: unseen(request.labelled, split, bundle.manifest, chosen)
        for split in ("validation", "test")
    }
    validation, test = HeldOut(splits["validation"].frames), HeldOut(splits["test"].frames)
    search = Search(
        bundle,
        ranges,
        chosen,
        validation,
        validation.outcomes(bundle, fp32),
        reduce_range=request.reduce_range,
        note=note,
    )
    reference = test.outcomes(bundle, fp32)
    candidates = []
    for target in request.targets:
        source, graph = _source(bundle, model, target, form)
        found = search.run(graph, target)
        candidates.append(_candidate(request, found, source, test, reference, chosen))
    half = judge_half(bundle, test, reference)
    if half is not None:
        note(f"fp16: test: {half.verdict}")
    return Calibrated(
        bundle=bundle,
        chosen=chosen,
        ranges=ranges,
        validation=validation,
        test=test,
        reference=tuple(reference),
        seen=sum(split.seen for split in splits.values()),
        candidates=tuple(candidates),
        half=half,
    )


def _ranges(request: Request, model: onnx.ModelProto, chosen: CalibrationSet) -> Ranges:
    sha256 = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    path = ranges_path(request.folder, sha256, chosen.sha256)
    kept = load_ranges(path, sha256, chosen.sha256)
    if kept is not None:
        request.note(f"activation ranges of {path}")
        return kept
    ranges = compute_ranges(model, sha256, chosen)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(ranges.model_dump_json(indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
    request.note(f"activation ranges of {len(ranges.tensors)} tensors in {path}")
    return ranges


def _source(
    bundle: Bundle, model: onnx.ModelProto, target: Target, form: Form
) -> tuple[Precision, onnx.ModelProto]:
    """Returns the graph that Q/DQ are put into: the typed fp16 one for TensorRT where there is."""
    half = bundle.manifest.file(Backend.TENSORRT, Precision.FP16)
    if target is Target.TENSORRT and half is not None:
        return Precision.FP16, form.apply(typed((bundle.folder / half.path).read_bytes()))
    return Precision.FP32, model


def _candidate(
    request: Request,
    found: Found,
    source: Precision,
    test: HeldOut,
    reference: list[Outcome],
    chosen: CalibrationSet,
) -> Candidate:
    target = found.target
    if not found.trial.verdict.passed:
        return Candidate(found, source, None, (), None, None)
    optimize = target is Target.ONNXRUNTIME
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / target.path
        path.write_bytes(found.model)
        if target is Target.TENSORRT:
            confirm(path, chosen)
        outcomes = test.outcomes(request.bundle, path, optimize=optimize)
        verdict = judge(reference, outcomes)
        request.note(f"{target.value}: test: {verdict}")
        speed = tolerance = None
        if target is Target.ONNXRUNTIME:
            fp32 = request.bundle.model_path(Backend.ONNXRUNTIME, Precision.FP32)
            speed = measure_speed(fp32, path, chosen.squares)
        if verdict.passed:
            tolerance = golden_tolerance(
                request.bundle, path, target.backend, Precision.INT8, optimize=optimize
            )
    return Candidate(found, source, verdict, tuple(outcomes), speed, tolerance)


def confirm(path: Path, chosen: CalibrationSet) -> None:
    """Raises `CheckFailedError` unless ONNX's own evaluator agrees with ONNX Runtime on a file.

    What ONNX Runtime makes of float16 Q/DQ depends on its optimizations, so its word alone would
    not do for a file that it is not meant for.
    """
    reference = ReferenceEvaluator(onnx.load_model(path))
    with OnnxRuntimeRunner(path, precision="int8", optimize=False) as runner:
        context = runner.new_context()
        for square in chosen.squares[:_REFERENCE_FRAMES]:
            outputs = context.infer(square[None])
            wanted = dict(
                zip(
                    reference.output_names,
                    reference.run(None, {"frame": square[None]}),
                    strict=True,
                )
            )
            errors = [relative_rms(wanted[name], outputs[name]) for name in wanted]
            # each by itself: max() would pass over one that is no number
            if not all(error <= _REFERENCE_ERROR for error in errors):
                raise CheckFailedError(
                    f"{path.name} in ONNX Runtime and in ONNX's reference evaluator",
                    expected=f"a relative RMS difference of at most {_REFERENCE_ERROR:g}",
                    arrived=", ".join(f"{error:.3g}" for error in errors),
                )
