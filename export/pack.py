"""A trained student to a bundle: model file, gate, golden frames, lineage and held-out figures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from distill.checkpoint import load_weights
from distill.data.planes import PLANES
from distill.data.sample import HEAD, Sample, Split
from distill.evaluation.bootstrap import Figure, group_of
from distill.evaluation.heads import gate_scores, head_outcomes, head_scores
from distill.evaluation.outcome import evaluate
from distill.evaluation.planes import FOUR, f1_figure
from distill.model import Student
from distill.recipe import Recipe
from distill.run_record import RunRecord
from export.gate import choose_gate
from export.golden import golden_references
from export.lineage import data_source, embedding_space, teacher_name, weights_licence
from export.lint import check_lint
from export.onnx_file import OPSET, described, to_onnx
from export.parity import FP32, ParityRow, check_parity, onnx_run, parity_frames, torch_run
from export.tensorrt_files import FP32_TOLERANCE, HALF_PATH, add_half, with_tolerances
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import (
    Backend,
    ClassificationHead,
    Gate,
    Golden,
    GoldenReference,
    InputSpec,
    Manifest,
    MeasurementSpec,
    Metric,
    Precision,
    Provenance,
    SegmentationHead,
    StructureSpec,
    Tolerance,
)
from fetalclip_edge.bundle.write import file_entry, write_bundle
from fetalclip_edge.errors import UsageError
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner
from fetalclip_edge.session import Session

MODEL_PATH = "model.fp32.onnx"
BUNDLE_NAME = "fetal-head-and-planes"
COMMAND = "fetalclip-edge export"
INTENDED_USE = (
    "Research on fetal head biometry and standard-plane classification in ultrasound frames of "
    "the second and third trimester. Not a medical device; no output may guide care."
)
PARITY_FRAMES = 24
OPEN_GATE = Gate(
    min_structure_score=0.0, min_plane_confidence=0.0, max_fit_residual=1.0, max_border_fraction=1.0
)


@dataclass(frozen=True, slots=True)
class PackRequest:
    """What a bundle is made from.

    Attributes:
        checkpoint: `best.pt` of a training run.
        record: the student it holds, its recipe and its lineage.
        samples: every labelled frame, with its split.
        folder: where the bundle goes.
        version: version of the bundle.
        half: whether a typed fp16 file is made too.
    """

    checkpoint: Path
    record: RunRecord
    samples: Sequence[Sample]
    folder: Path
    version: str
    half: bool = True


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written, and the tables of parity that let it be written.

    Attributes:
        bundle: as it lies on disk.
        fp32: torch against fp32 ONNX.
        fp16: fp32 ONNX against typed fp16 ONNX; empty where none was made.
    """

    bundle: Bundle
    fp32: tuple[ParityRow, ...]
    fp16: tuple[ParityRow, ...]


def check_heads(recipe: Recipe) -> None:
    """Raises `UsageError` where a bundle would hold a head that was never trained."""
    trained = [n for n in ("mask", "plane") if getattr(recipe.losses, n) is not None]
    if len(trained) < 2 or recipe.student.structures[0] != HEAD:
        raise UsageError(
            "run to export",
            expected=f"one with losses.mask, losses.plane and {HEAD!r} as its first structure",
            arrived=f"losses: {', '.join(trained) or 'of the teacher alone'}; "
            f"structures: {', '.join(recipe.student.structures)}",
            remedy='Train what is missing after it: --start-from, student.trained = "heads"',
        )


def pack(request: PackRequest) -> Packed:
    """Exports, checks, measures and writes; a failed check writes nothing.

    The gate is chosen on validation frames; the figures are those of the test frames.

    Raises:
        UsageError: the run trained no head's mask, or no planes.
        CheckFailedError: the graph or its parity is not right.
    """
    check_heads(request.record.recipe)
    state, size_px = load_weights(request.checkpoint), request.record.recipe.student.size_px
    reference, exported = Student(request.record.spec), Student(request.record.spec)
    for student in (reference, exported):
        student.load_state_dict(state)
    model = described(
        to_onnx(exported, size_px),
        bundle=BUNDLE_NAME,
        version=request.version,
        precision=Precision.FP32.value,
    )
    check_lint("fp32 graph", onnx.load_model_from_string(model))
    by_split = {s: [x for x in request.samples if x.split is s] for s in Split}
    some = by_split[Split.VALIDATION][:: max(1, len(by_split[Split.VALIDATION]) // PARITY_FRAMES)]
    frames = parity_frames(some, size_px)
    parity = check_parity("torch and ONNX", torch_run(reference), onnx_run(model), frames, FP32)

    manifest = _manifest(request, model, by_split[Split.TRAIN])
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / MODEL_PATH).write_bytes(model)
        with OnnxRuntimeRunner(folder / MODEL_PATH, precision="fp32") as runner:
            open_session = Session(Bundle(folder, manifest, "0" * 64), runner, gate=False)
            gate = choose_gate(evaluate(open_session, by_split[Split.VALIDATION]))
            manifest = manifest.model_copy(update={"gate": gate})
            gated = Session(Bundle(folder, manifest, "0" * 64), runner)
            references, files = golden_references(open_session)
            metrics = _metrics(open_session, gated, by_split[Split.TEST])
    golden = manifest.golden.model_copy(update={"frames": references})
    manifest = manifest.model_copy(update={"golden": golden, "metrics": metrics})
    manifest = with_tolerances(manifest, FP32_TOLERANCE)
    written = {MODEL_PATH: model, **files}
    if not request.half:
        return Packed(write_bundle(request.folder, manifest, written), parity, ())
    typed = add_half(manifest, model, frames)
    written[HALF_PATH] = typed.half.model
    return Packed(write_bundle(request.folder, typed.manifest, written), parity, typed.parity)


def _manifest(request: PackRequest, model: bytes, trained_on: list[Sample]) -> Manifest:
    """Returns the manifest before the gate, the golden frames and the figures are known."""
    record = request.record
    data = tuple(
        data_source(name, [s.image.name for s in trained_on if s.data_set == name])
        for name in sorted({s.data_set for s in trained_on})
    )
    return Manifest(
        schema_version=1,
        name=BUNDLE_NAME,
        version=request.version,
        intended_use=INTENDED_USE,
        weights_licence=weights_licence(record.teacher, data),
        input=InputSpec(size_px=record.recipe.student.size_px),
        heads=(
            ClassificationHead(name="plane", output="plane", classes=PLANES),
            SegmentationHead(
                name="biometry",
                output="mask",
                structures=tuple(map(_structure, record.recipe.student.structures)),
                valid_planes=("brain",),
            ),
        ),
        embedding_space=embedding_space(record, request.version),
        files=(file_entry(MODEL_PATH, Backend.ONNXRUNTIME, Precision.FP32, OPSET, model),),
        provenance=Provenance(
            teacher=teacher_name(record.teacher),
            teacher_licence=None if record.teacher is None else record.teacher.licence,
            student=record.spec.preset,
            parameters=sum(p.numel() for p in Student(record.spec).parameters()),
            data=data,
            recipe_sha256=record.recipe_sha256,
        ),
        gate=OPEN_GATE,
        golden=Golden(
            reference_backend=Backend.ONNXRUNTIME,
            reference_precision=Precision.FP32,
            frames=(_placeholder(record.embedding_dim),),
            tolerances=(
                Tolerance(
                    backend=Backend.ONNXRUNTIME,
                    precision=Precision.FP32,
                    embedding_cosine_min=0.9999,
                    probability_abs_max=1e-3,
                    mask_dsc_min=0.999,
                    hc_mm_abs_max=0.05,
                ),
            ),
        ),
    )


def _structure(name: str) -> StructureSpec:
    """Returns a mask channel; only what is known of a head is measured."""
    if name != HEAD:
        return StructureSpec(name=name)
    measurements = tuple(
        MeasurementSpec(kind=kind, convention="outer-outer") for kind in ("HC", "BPD", "OFD")
    )
    return StructureSpec(name=name, measurements=measurements)


def _placeholder(dim: int) -> GoldenReference:
    """Returns a reference that `pack` replaces once the model has run."""
    return GoldenReference(
        path="golden/none.png",
        sha256="0" * 64,
        spacing_mm=1.0,
        true_hc_mm=None,
        plane_scores=(0.0,) * len(PLANES),
        embedding=(0.0,) * dim,
        mask_area_px=0.0,
        mask_path="golden/none_mask.png",
        mask_sha256="0" * 64,
        hc_mm=None,
    )


def _metrics(open_session: Session, gated: Session, test: list[Sample]) -> tuple[Metric, ...]:
    outcomes, gate = evaluate(open_session, test), gate_scores(evaluate(gated, test))
    heads = head_scores(head_outcomes(outcomes))
    planes = [o for o in outcomes if o.sample.data_set == "FETAL_PLANES_DB"]
    f1 = f1_figure(
        [-1 if o.sample.plane is None else o.sample.plane for o in planes],
        [o.plane for o in planes],
        [group_of(o.sample) for o in planes],
        FOUR,
    )
    hc = None if heads is None else heads.hc
    rows = (
        ("head DSC", "1", "HC18", None if heads is None else heads.dsc),
        ("HC mean absolute error, gate off", "mm", "HC18", None if hc is None else hc.mean_abs),
        ("HC withheld by the gate", "1", "HC18", gate.withheld),
        ("HC shown on other planes", "1", "FETAL_PLANES_DB", gate.shown_elsewhere),
        ("plane macro F1 over brain, abdomen, femur, thorax", "1", "FETAL_PLANES_DB", f1),
    )
    return tuple(
        _metric(name, unit, data, figure) for name, unit, data, figure in rows if figure is not None
    )


def _metric(name: str, unit: str, data: str, figure: Figure) -> Metric:
    interval = None
    if figure.interval is not None:
        interval = round(figure.interval[0], 4), round(figure.interval[1], 4)
    return Metric(
        name=name,
        value=round(figure.value, 4),
        unit=unit,
        data=data,
        split="test: no training step saw these frames",
        n=figure.n,
        interval_95=interval,
        command=COMMAND,
    )
