"""Do two forms of one model say the same of real frames? Every output, and HC in millimetres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from distill.data.sample import Sample
from distill.model import Student
from fetalclip_edge.biometry import find_shape, measure
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox, to_gray
from fetalclip_edge.sources.images import read_image

Arrays = dict[str, NDArray[np.float32]]
Run = Callable[[NDArray[np.uint8]], Arrays]
"""uint8 (1, 1, S, S) -> output name -> float32, with a leading axis of 1."""

_ERRORS_ONLY = 3


@dataclass(frozen=True, slots=True)
class ParityFrame:
    """One frame as the model takes it, and what its mask is measured by.

    Attributes:
        square: uint8 (1, 1, S, S).
        letterbox: from the source to the square.
        spacing_mm: mm per source pixel of a frame with a head, or None. What a mask says where
            there is no head is measured by nobody, so masks and HC are compared with one alone.
    """

    square: NDArray[np.uint8]
    letterbox: Letterbox
    spacing_mm: float | None


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How far two forms may be apart.

    Attributes:
        embedding_cosine_min: of the embeddings.
        plane_logit_max: difference of a plane logit.
        mask_logit_max: difference of a mask logit.
        mask_dsc_min: Dice coefficient of the masks.
        hc_mm_max: difference of HC.
    """

    embedding_cosine_min: float
    plane_logit_max: float
    mask_logit_max: float
    mask_dsc_min: float
    hc_mm_max: float


FP32 = Tolerances(0.99999, 2e-3, 2e-3, 0.9995, 0.02)
FP16 = Tolerances(0.9995, 0.1, 0.5, 0.998, 0.2)


@dataclass(frozen=True, slots=True)
class ParityRow:
    """One figure over all frames.

    Attributes:
        figure: its name and unit.
        worst: its worst value.
        limit: what it has to stay within.
        at_least: the limit is a lower one.
        n: frames it was taken over.
    """

    figure: str
    worst: float
    limit: float
    at_least: bool
    n: int

    @property
    def passed(self) -> bool:
        """Whether it is within its limit; a figure that is no number is not."""
        return self.worst >= self.limit if self.at_least else self.worst <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        return f"{self.figure} {self.worst:.6g} ({bound} {self.limit:g}, n={self.n})"


def parity_frames(samples: Sequence[Sample], size_px: int) -> tuple[ParityFrame, ...]:
    """Returns samples letterboxed as the cart does it."""
    frames = []
    for sample in samples:
        gray = to_gray(read_image(sample.image))
        letterbox = Letterbox(Roi.full((gray.shape[0], gray.shape[1])), size_px)
        square = letterbox.forward(gray)[None, None]
        frames.append(ParityFrame(square, letterbox, sample.spacing_mm))
    return tuple(frames)


def torch_run(student: Student) -> Run:
    """Returns what runs a student in torch."""
    student = student.eval()

    def run(square: NDArray[np.uint8]) -> Arrays:
        with torch.no_grad():
            outputs = student(torch.from_numpy(square))
        return {name: value.numpy() for name, value in outputs._asdict().items()}

    return run


def onnx_run(model: bytes) -> Run:
    """Returns what runs a file in ONNX Runtime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(
        model, sess_options=options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]

    def run(square: NDArray[np.uint8]) -> Arrays:
        return dict(zip(names, session.run(names, {"frame": square}), strict=True))

    return run


def check_parity(
    what: str,
    reference: Run,
    candidate: Run,
    frames: Sequence[ParityFrame],
    tolerances: Tolerances,
) -> tuple[ParityRow, ...]:
    """Compares two forms of a model on every frame.

    Args:
        what: names the pair in a message, such as "torch and ONNX".
        reference: the form that is right.
        candidate: the form that is checked.
        frames: at least one, and one of them with a spacing and a head.
        tolerances: how far they may be apart.

    Returns:
        The table: the worst of every figure, with its limit.

    Raises:
        CheckFailedError: a figure is beyond its limit; nothing may be shipped then.
    """
    cosines, planes, logits, dices, changes_mm = [], [], [], [], []
    for frame in frames:
        want, got = reference(frame.square), candidate(frame.square)
        cosines.append(_cosine(want["embedding"], got["embedding"]))
        planes.append(float(np.abs(want["plane"] - got["plane"]).max()))
        logits.append(float(np.abs(want["mask"] - got["mask"]).max()))
        if frame.spacing_mm is not None:
            dices.append(_dice(want["mask"] > 0, got["mask"] > 0))
        if (change_mm := _hc_change_mm(want["mask"], got["mask"], frame)) is not None:
            changes_mm.append(change_mm)
    if not changes_mm:
        raise CheckFailedError(
            f"parity of {what}", expected="frames with a scale and a head", arrived="none"
        )
    # np.min and np.max carry NaN on, where min() and max() may lose it
    rows = (
        ParityRow("embedding cosine", float(np.min(cosines)), tolerances.embedding_cosine_min,
                  True, len(cosines)),
        ParityRow("plane logit difference", float(np.max(planes)), tolerances.plane_logit_max,
                  False, len(planes)),
        ParityRow("mask logit difference", float(np.max(logits)), tolerances.mask_logit_max,
                  False, len(logits)),
        ParityRow("mask DSC", float(np.min(dices)), tolerances.mask_dsc_min, True, len(dices)),
        ParityRow("HC difference in mm", float(np.max(changes_mm)), tolerances.hc_mm_max,
                  False, len(changes_mm)),
    )  # fmt: skip
    failed = [row for row in rows if not row.passed]
    if failed:
        raise CheckFailedError(
            f"parity of {what}",
            expected="every figure within its limit; nothing was written",
            arrived="; ".join(map(str, failed)),
        )
    return rows


def _cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    first, second = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    length = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / length if length > 0 else float("nan")


def _dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    total = int(a.sum() + b.sum())
    return 2.0 * int((a & b).sum()) / total if total else 1.0


def _hc_change_mm(
    want: NDArray[np.float32], got: NDArray[np.float32], frame: ParityFrame
) -> float | None:
    """Returns the difference of HC; None where neither has one, infinite where only one has."""
    if frame.spacing_mm is None:
        return None
    spacing = (frame.spacing_mm, frame.spacing_mm)
    ellipses = [find_shape(mask[0, 0], frame.letterbox).ellipse for mask in (want, got)]
    values = [None if e is None else measure("HC", e, spacing) for e in ellipses]
    if values[0] is None or values[1] is None:
        return None if values == [None, None] else float("inf")
    return abs(values[0] - values[1])
