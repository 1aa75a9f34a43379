"""Which backend and precision runs a bundle here: the fastest that is proven and at hand.

Lower precision is only chosen by itself where the bundle holds the figures by which it passed
its gate; whoever asks for a precision by name gets it or an error, never another.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, FileEntry, Manifest, Precision
from fetalclip_edge.errors import EdgeError, ProviderError
from fetalclip_edge.processor import int8_instructions

FASTEST_FIRST = (
    (Backend.TENSORRT, Precision.INT8),
    (Backend.TENSORRT, Precision.FP16),
    (Backend.TENSORRT, Precision.FP32),
    (Backend.ONNXRUNTIME, Precision.INT8),
    (Backend.ONNXRUNTIME, Precision.FP32),
    # a CPU computes FP16 in FP32 and pays for the casts
    (Backend.ONNXRUNTIME, Precision.FP16),
)

Obstacle = Callable[[Backend, Precision], str | None]
"""Why this backend cannot run this precision here, or None."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs.

    Attributes:
        backend: the backend.
        precision: the precision.
        passed_over: what would be faster, each with the reason why it was not chosen.
    """

    backend: Backend
    precision: Precision
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        chosen = f"{self.backend.value} {self.precision.value}"
        return f"{chosen}; not {'; not '.join(self.passed_over)}" if self.passed_over else chosen


def choose(
    manifest: Manifest,
    obstacle: Obstacle,
    *,
    backend: Backend | None = None,
    precision: Precision | None = None,
) -> Choice:
    """Returns the fastest that is allowed and can run.

    Args:
        manifest: of the bundle.
        obstacle: says what cannot run here.
        backend: the only backend allowed; None allows all.
        precision: the only precision allowed; None allows those that passed their gate.

    Raises:
        ProviderError: nothing is left; the message says why.
    """
    if backend is not None and precision is not None:
        return Choice(backend, precision)  # loading it says best what is wrong with it
    passed_over: list[str] = []
    for candidate in FASTEST_FIRST:
        if candidate[0] != (backend or candidate[0]) or candidate[1] != (precision or candidate[1]):
            continue
        entry = source(manifest, *candidate)
        if entry is None:
            continue
        proven = precision is not None or candidate[1] is Precision.FP32 or has_gate_figures(entry)
        reason = obstacle(*candidate) if proven else "the bundle holds no gate figures for it"
        if reason is None:
            return Choice(*candidate, tuple(passed_over))
        passed_over.append(f"{candidate[0].value} {candidate[1].value}: {reason}")
    asked = f"{backend.value if backend else 'any backend'}"
    asked += f" in {precision.value}" if precision else ""
    raise ProviderError(
        f"bundle {manifest.name} {manifest.version}",
        expected=f"something that runs here, of {asked}",
        arrived="; ".join(passed_over) or "no model file for it",
        remedy="See `fetalclip-edge doctor` and `fetalclip-edge build --help`",
    )


def source(manifest: Manifest, backend: Backend, precision: Precision) -> FileEntry | None:
    """Returns the model file that this backend runs or builds from in this precision, or None.

    In FP32 a graph holds no type of TensorRT's own, so ONNX Runtime's file serves both.
    """
    entry = manifest.file(backend, precision)
    if entry is None and (backend, precision) == (Backend.TENSORRT, Precision.FP32):
        return manifest.file(Backend.ONNXRUNTIME, precision)
    return entry


def obstacle_here(bundle: Bundle) -> Obstacle:
    """Returns what says why this machine cannot run a part of the bundle."""

    def obstacle(backend: Backend, precision: Precision) -> str | None:
        if backend is Backend.TENSORRT:
            return _tensorrt_obstacle(bundle, precision)
        if importlib.util.find_spec("onnxruntime") is None:
            return "the package onnxruntime is not installed"
        if precision is Precision.INT8 and not int8_instructions():
            return "this processor is not known to have INT8 instructions"
        return None

    return obstacle


def _tensorrt_obstacle(bundle: Bundle, precision: Precision) -> str | None:
    from fetalclip_edge.tensorrt.store import engines_for, find_engine

    # asked first, since it costs nothing: TensorRT and CUDA take seconds to load
    if not engines_for(bundle, precision):
        return "no engine was built"
    try:
        from fetalclip_edge.tensorrt.cuda import device_info
        from fetalclip_edge.tensorrt.package import check_version
        from fetalclip_edge.tensorrt.target import read_target

        check_version()
        device_info()
        find_engine(bundle, precision, read_target())
    except EdgeError as error:
        return str(error)
    return None


def has_gate_figures(entry: FileEntry) -> bool:
    """Returns whether the manifest holds the figures by which this file passed its gate."""
    return entry.acceptance is not None
