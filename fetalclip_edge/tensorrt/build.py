"""An engine for this machine: built, compared with the reference, and only then put in place."""

from __future__ import annotations

import hashlib
import statistics
import time
from dataclasses import dataclass

import numpy as np
from rich.console import Console

from fetalclip_edge import __version__
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, FileEntry, Precision
from fetalclip_edge.errors import BundleError, CheckFailedError
from fetalclip_edge.runners.tensorrt import TensorRtRunner
from fetalclip_edge.selftest import GoldenOutcome, check_self_test, run_self_test
from fetalclip_edge.session import Session
from fetalclip_edge.tensorrt.cuda import device_info
from fetalclip_edge.tensorrt.package import check_version
from fetalclip_edge.tensorrt.plan import PlanRequest, build_plan
from fetalclip_edge.tensorrt.progress import BuildProgress
from fetalclip_edge.tensorrt.sidecar import Sidecar
from fetalclip_edge.tensorrt.staging import engine_name, staging, stem
from fetalclip_edge.tensorrt.store import ENGINES, Engine, source_entry
from fetalclip_edge.tensorrt.target import read_target

TIMED_RUNS = 100


@dataclass(frozen=True, slots=True)
class Built:
    """An engine in place.

    Attributes:
        engine: the engine and its sidecar.
        outcomes: how far each golden frame is from its reference.
        device_ms: median time of one pass on the GPU, copies included.
        uses_graph: whether a pass is one launch of a captured CUDA graph.
    """

    engine: Engine
    outcomes: tuple[GoldenOutcome, ...]
    device_ms: float
    uses_graph: bool


def build(
    bundle: Bundle,
    precision: Precision,
    console: Console,
    *,
    workspace_mb: int,
    version_compatible: bool = False,
) -> Built:
    """Builds the engine of a checked bundle for this machine; takes minutes.

    Args:
        bundle: the bundle; its manifest and its files stay as they are.
        precision: arithmetic, which its typed ONNX file must hold.
        console: shows the progress.
        workspace_mb: bound of the builder's scratch memory, in MiB.
        version_compatible: also run on later TensorRT of the same major version.

    Raises:
        EnvironmentFault: there is no GPU or no TensorRT, the build failed, or the disk is full.
        BundleError: the bundle has no file for this, or TensorRT does not take it.
        CheckFailedError: a golden frame is beyond its tolerance, or there is no tolerance.
    """
    entry = source_entry(bundle, precision)
    check_version()
    device_info()
    _check_tolerance(bundle, precision)
    target = read_target()
    request = PlanRequest(
        onnx=_read(bundle, entry),
        name=entry.path,
        size_px=bundle.manifest.input.size_px,
        workspace_mb=workspace_mb,
        version_compatible=version_compatible,
    )
    with staging(bundle.folder / ENGINES) as stage:
        started = time.monotonic()
        with BuildProgress(console) as progress:
            plan = build_plan(request, stage.timing_cache(target), progress)
        seconds = time.monotonic() - started
        digest = hashlib.sha256(plan.engine).hexdigest()
        sidecar = Sidecar(
            engine=engine_name(stem(entry.sha256, precision, target), digest),
            engine_sha256=digest,
            engine_bytes=len(plan.engine),
            onnx_sha256=entry.sha256,
            precision=precision,
            target=target,
            flags=request.flags,
            workspace_mb=workspace_mb,
            build_seconds=round(seconds, 1),
            built_by=__version__,
        )
        stage.keep_timing_cache(target, plan.timing_cache)
        staged = stage.stage(plan.engine, sidecar)
        with TensorRtRunner(staged) as runner:
            outcomes = run_self_test(bundle, Session(bundle, runner, gate=False))
            check_self_test(outcomes)
            device_ms, uses_graph = _time(runner, request.size_px)
        return Built(stage.install(staged), outcomes, device_ms, uses_graph)


def _read(bundle: Bundle, entry: FileEntry) -> bytes:
    """Returns the bytes that the sidecar will vouch for, hashed as they are used."""
    path = bundle.folder / entry.path
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}", arrived=error.strerror or type(error).__name__) from None
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BundleError(f"{path}", expected=f"sha256 {entry.sha256}", arrived="another file")
    return data


def _check_tolerance(bundle: Bundle, precision: Precision) -> None:
    """Raises before the minutes of a build if its result could not be judged."""
    if bundle.manifest.tolerance(Backend.TENSORRT, precision) is None:
        raise CheckFailedError(
            f"bundle {bundle.manifest.name} {bundle.manifest.version}",
            expected=f"golden tolerances for tensorrt/{precision.value}",
            arrived="none, so that no engine can be judged",
            remedy="Export the bundle again, or use --backend onnxruntime",
        )


def _time(runner: TensorRtRunner, size_px: int) -> tuple[float, bool]:
    context = runner.new_context()
    frame = np.zeros((1, 1, size_px, size_px), np.uint8)
    times_ms = []
    for _ in range(TIMED_RUNS):
        context.infer(frame)
        times_ms.append(context.device_ms)
    return statistics.median(times_ms), context.uses_graph
