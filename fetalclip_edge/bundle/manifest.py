"""The manifest of a bundle: everything a cart must know about a model, in one typed file.

Schema version 1. A reader refuses a newer version; fields are added, never given a new meaning.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from fetalclip_edge.bundle.acceptance import Acceptance
from fetalclip_edge.bundle.fields import BundlePath, Name, Sha256, Unit
from fetalclip_edge.bundle.fields import Part as _Part
from fetalclip_edge.textbank.entry import GestationalAgeBank, TextBankEntry

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"


class Backend(str, Enum):
    """What can run a model file."""

    ONNXRUNTIME = "onnxruntime"
    TENSORRT = "tensorrt"


class Precision(str, Enum):
    """Arithmetic of a model file."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class InputSpec(_Part):
    """The one input: uint8 gray, (1, 1, size_px, size_px), values 0 to 255, letterboxed."""

    name: str = "frame"
    size_px: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    dtype: Literal["uint8"] = "uint8"
    channels: Literal[1] = 1


class MeasurementSpec(_Part):
    """A measurement that a structure yields, such as HC from the head's ellipse."""

    kind: Literal["HC", "BPD", "OFD"]
    convention: Name


class StructureSpec(_Part):
    """One mask channel, the geometry fitted to it, and what is measured on it."""

    name: Name
    geometry: Literal["ellipse"] = "ellipse"
    measurements: tuple[MeasurementSpec, ...] = ()


class ClassificationHead(_Part):
    """Scores over classes; `activation` is what the runtime applies to the logits.

    `valid_planes` are the planes on which it is asked at all; empty means any. The first head
    without any says which plane a frame shows.
    """

    kind: Literal["classification"] = "classification"
    name: Name
    output: str
    classes: Annotated[tuple[Name, ...], Field(min_length=2)]
    activation: Literal["softmax"] = "softmax"
    valid_planes: tuple[Name, ...] = ()


class SegmentationHead(_Part):
    """Masks, one channel a structure, logits at the input's size.

    `valid_planes` are the planes on which its structures may be measured; empty means any.
    """

    kind: Literal["segmentation"] = "segmentation"
    name: Name
    output: str
    structures: Annotated[tuple[StructureSpec, ...], Field(min_length=1)]
    activation: Literal["sigmoid"] = "sigmoid"
    valid_planes: tuple[Name, ...] = ()


Head = Annotated[ClassificationHead | SegmentationHead, Field(discriminator="kind")]


class FileEntry(_Part):
    """One model file; exactly one for each (backend, precision).

    TensorRT builds from ONNX Runtime's fp32 file, so that one stands here once. `acceptance` is
    what a file of lower precision was let in by.
    """

    backend: Backend
    precision: Precision
    path: BundlePath
    sha256: Sha256
    bytes: Annotated[int, Field(gt=0, le=2**31)]
    opset: Annotated[int, Field(ge=1)]
    acceptance: Acceptance | None = None


class EmbeddingSpace(_Part):
    """Where embeddings live: banks of text embeddings of another space are refused."""

    name: Name
    dim: Annotated[int, Field(ge=1)]
    output: str = "embedding"


class DataSource(_Part):
    """A data set that the weights descend from."""

    name: str
    licence: str
    credit: str
    frames: Annotated[int, Field(ge=0)]
    split: str
    trained_on: tuple[str, ...] = Field(description="names of the frames trained on")


class Provenance(_Part):
    """Where the weights come from."""

    teacher: str | None
    teacher_licence: str | None
    student: str
    parameters: int
    data: tuple[DataSource, ...]
    recipe_sha256: Sha256
    calibration_set_sha256: Sha256 | None = None
    commit: str | None = None


class Metric(_Part):
    """A figure with what it was measured on."""

    name: str
    value: float
    unit: str
    data: str
    split: str
    n: Annotated[int, Field(ge=1)]
    interval_95: tuple[float, float] | None = None
    command: str


class Gate(_Part):
    """Thresholds below or above which a measurement is withheld; chosen on validation frames."""

    min_structure_score: Unit
    min_plane_confidence: Unit
    max_fit_residual: Annotated[float, Field(gt=0, le=1)]
    max_border_fraction: Unit


class Tolerance(_Part):
    """How far a backend and precision may be from the reference outputs of the golden frames."""

    backend: Backend
    precision: Precision
    embedding_cosine_min: Unit
    probability_abs_max: Unit
    mask_dsc_min: Unit
    hc_mm_abs_max: Annotated[float, Field(gt=0)]


class GoldenReference(_Part):
    """What the reference model said of one golden frame, and the truth it was drawn from."""

    path: BundlePath
    sha256: Sha256
    spacing_mm: Annotated[float, Field(gt=0, le=10)]
    true_hc_mm: float | None
    plane_scores: tuple[float, ...]
    embedding: tuple[float, ...]
    mask_area_px: Annotated[float, Field(ge=0)]
    mask_path: BundlePath
    mask_sha256: Sha256
    hc_mm: float | None


class Golden(_Part):
    """Frames that may be shipped, drawn by the phantom and never trained on."""

    reference_backend: Backend
    reference_precision: Precision
    frames: Annotated[tuple[GoldenReference, ...], Field(min_length=1)]
    tolerances: Annotated[tuple[Tolerance, ...], Field(min_length=1)]


class Manifest(_Part):
    """The whole manifest. See the module docstring for the rule on versions."""

    schema_version: Literal[1]
    name: Name
    version: Name
    intended_use: str
    weights_licence: str
    input: InputSpec
    heads: Annotated[tuple[Head, ...], Field(min_length=1)]
    embedding_space: EmbeddingSpace
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]
    provenance: Provenance
    metrics: tuple[Metric, ...] = ()
    gate: Gate
    golden: Golden
    text_banks: tuple[TextBankEntry, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        for what, keys in (
            ("(backend, precision) of files", [(f.backend, f.precision) for f in self.files]),
            ("names of heads and text banks", [x.name for x in (*self.heads, *self.text_banks)]),
            ("paths of files", [x.path for x in (*self.files, *self.text_banks)]),
            ("golden frames", [frame.path for frame in self.golden.frames]),
            (
                "(backend, precision) of tolerances",
                [(t.backend, t.precision) for t in self.golden.tolerances],
            ),
        ):
            if len(set(keys)) != len(keys):
                raise ValueError(f"{what} must be unique, got {keys}")
        planes = set(self.planes())
        for head in self.heads:
            if unknown := set(head.valid_planes) - planes:
                raise ValueError(f"head {head.name!r} names unknown planes {sorted(unknown)}")
        for frame in self.golden.frames:
            for what, got, wanted in (
                ("embedding", len(frame.embedding), self.embedding_space.dim),
                ("plane_scores", len(frame.plane_scores), len(planes)),
            ):
                if got != wanted:
                    raise ValueError(f"{frame.path}: {what} has {got} numbers, expected {wanted}")
        self._check_text_banks()
        if MANIFEST_NAME in self.digests():
            raise ValueError(f"{MANIFEST_NAME} cannot be one of the bundle's own files")
        return self

    def _check_text_banks(self) -> None:
        ours = self.embedding_space.name
        for bank in self.text_banks:
            if bank.embedding_space != ours:
                raise ValueError(
                    f"text bank {bank.name!r} must be of the bundle's embedding space {ours!r}, "
                    f"not {bank.embedding_space!r}: compile it again with `fetalclip-edge "
                    "prompts` and the teacher that this bundle was distilled from"
                )
        ages = [bank for bank in self.text_banks if isinstance(bank, GestationalAgeBank)]
        if len(ages) > 1:
            raise ValueError(f"text banks of ages must be one at most, got {len(ages)}")
        for bank in ages:
            if unknown := set(bank.valid_planes) - set(self.planes()):
                raise ValueError(f"text bank {bank.name!r} names unknown planes {sorted(unknown)}")

    @property
    def plane_head(self) -> ClassificationHead | None:
        """The head that says the plane: the first classification that holds on any plane."""
        return next(
            (
                head
                for head in self.heads
                if isinstance(head, ClassificationHead) and not head.valid_planes
            ),
            None,
        )

    def planes(self) -> tuple[str, ...]:
        """Returns the classes of the plane head; none where there is no such head."""
        return () if self.plane_head is None else self.plane_head.classes

    def file(self, backend: Backend, precision: Precision) -> FileEntry | None:
        """Returns the file for this backend and precision, or None."""
        return next(
            (f for f in self.files if (f.backend, f.precision) == (backend, precision)), None
        )

    def tolerance(self, backend: Backend, precision: Precision) -> Tolerance | None:
        """Returns the tolerance for this backend and precision, or None."""
        return next(
            (t for t in self.golden.tolerances if (t.backend, t.precision) == (backend, precision)),
            None,
        )

    def digests(self) -> dict[str, str]:
        """Returns path in the bundle -> sha256 of every file that belongs to it.

        Raises:
            ValueError: one path is named twice with different digests.
        """
        named: dict[str, str] = {}
        for path, digest in (
            *((f.path, f.sha256) for f in self.files),
            *((b.path, b.sha256) for b in self.text_banks),
            *((g.path, g.sha256) for g in self.golden.frames),
            *((g.mask_path, g.mask_sha256) for g in self.golden.frames),
        ):
            if named.setdefault(path, digest) != digest:
                raise ValueError(f"{path!r} is named twice with different sha256")
        return named
