"""Every file of a bundle that can run here, and other architectures, timed in one run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from fetalclip_edge.benchmark import Timing, take_turns
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import FileEntry, Manifest, Precision
from fetalclip_edge.choosing import Choice, obstacle_here
from fetalclip_edge.frame import Frame
from fetalclip_edge.model import make_runner
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.preprocess import preprocess
from fetalclip_edge.processor import processors
from fetalclip_edge.session import Session
from fetalclip_edge.tensorrt.target import Target, read_target

ENCODER, WHOLE_PASS, END_TO_END = "encoder", "whole pass", "end to end"
"""Scopes: a file given to compare with; the network with all its heads; a frame of 800 x 540 from
pixels to millimetres. They are not to be mixed."""

FRAME_HW = (540, 800)
_FRAMES = 8
_DSC, _F1 = "head DSC", "plane macro F1"


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One thing that was timed.

    Attributes:
        what: name of the bundle, or of the file compared with.
        backend: what ran it.
        precision: its arithmetic; "as in the file" for a file compared with.
        scope: see `ENCODER`.
        timing: durations.
        file_bytes: size of the model file.
        memory_mib: how far the process grew when it was loaded and first run; None if unknown.
        dsc: head DSC by the bundle's manifest, less what its gate found lost; None if unknown.
        plane_f1: plane macro F1, likewise.
    """

    what: str
    backend: str
    precision: str
    scope: str
    timing: Timing
    file_bytes: int
    memory_mib: float | None
    dsc: float | None = None
    plane_f1: float | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """One run.

    Attributes:
        rows: in the order in which they were loaded.
        not_run: files that could not run here, each with the reason.
        processor: name of the processor.
        processors: how many of them this process may use.
        load: mean number of running processes over the minute before, or None.
        target: GPU, board and power mode, as far as they can be told.
    """

    rows: tuple[BenchRow, ...]
    not_run: tuple[str, ...]
    processor: str
    processors: int
    load: float | None
    target: Target

    def json(self) -> str:
        """Returns the run as JSON, indent 2."""
        fields = {
            "rows": [asdict(row) for row in self.rows],
            "not_run": list(self.not_run),
            "processor": self.processor,
            "processors": self.processors,
            "load": self.load,
            "target": self.target.model_dump(mode="json"),
        }
        return json.dumps(fields, indent=2) + "\n"

    def ratio(self, row: BenchRow) -> float | None:
        """Returns how many times as long as the bundle's fp32 pass a row takes, or None."""
        scope = WHOLE_PASS if row.scope == ENCODER else row.scope
        base = next(
            (r for r in self.rows if (r.precision, r.scope) == (Precision.FP32.value, scope)), None
        )
        return None if base is None else row.timing.p50_ms / base.timing.p50_ms


@dataclass(frozen=True, slots=True)
class _Task:
    row: Callable[[Timing], BenchRow]
    run: Callable[[int], object]


def bench(bundle: Bundle, compare: Sequence[Path], *, rounds: int, threads: int = 0) -> Bench:
    """Times everything in turns; one run, so that ratios mean something.

    Args:
        bundle: its files run on every backend that is at hand.
        compare: other ONNX files, timed whole.
        rounds: timed rounds.
        threads: threads for one inference; 0 lets the backend choose.
    """
    load = _load()
    frames = [Frame(Phantom(seed, FRAME_HW).draw(0.0).pixels, seed) for seed in range(_FRAMES)]
    tensor, _ = preprocess(frames[0], bundle.manifest.input.size_px)
    obstacle = obstacle_here(bundle)
    tasks: dict[str, _Task] = {}
    not_run: list[str] = []
    with ExitStack() as stack:
        for entry in bundle.manifest.files:
            name = f"{entry.backend.value} {entry.precision.value}"
            reason = obstacle(entry.backend, entry.precision)
            if reason is not None:
                not_run.append(f"{name}: {reason}")
                continue
            before = _resident_mib()
            runner = stack.enter_context(
                make_runner(bundle, Choice(entry.backend, entry.precision), threads)
            )
            context, session = runner.new_context(), Session(bundle, runner)
            context.infer(tensor)
            grown = _grown(before)
            tasks[f"{name} pass"] = _Task(
                _row(bundle, entry, WHOLE_PASS, grown),
                lambda _, context=context: context.infer(tensor),  # type: ignore[misc]
            )
            tasks[f"{name} end"] = _Task(
                _row(bundle, entry, END_TO_END, grown),
                lambda n, session=session: session.process(frames[n % _FRAMES]),  # type: ignore[misc]
            )
        for path in compare:
            tasks[f"file {path}"] = _compared(path, threads)
        spent = take_turns({name: task.run for name, task in tasks.items()}, rounds)
    return Bench(
        rows=tuple(task.row(spent[name]) for name, task in tasks.items()),
        not_run=tuple(not_run),
        processor=_processor(),
        processors=processors(),
        load=load,
        target=read_target(),
    )


def _row(
    bundle: Bundle, entry: FileEntry, scope: str, memory_mib: float | None
) -> Callable[[Timing], BenchRow]:
    dsc, plane_f1 = _accuracy(bundle.manifest, entry)

    def row(timing: Timing) -> BenchRow:
        return BenchRow(
            what=f"{bundle.manifest.name} {bundle.manifest.version}",
            backend=entry.backend.value,
            precision=entry.precision.value,
            scope=scope,
            timing=timing,
            file_bytes=entry.bytes,
            memory_mib=memory_mib,
            dsc=dsc,
            plane_f1=plane_f1,
        )

    return row


def _compared(path: Path, threads: int) -> _Task:
    from fetalclip_edge.runners.any_onnx import AnyOnnx

    before = _resident_mib()
    other = AnyOnnx(path, threads)
    other.run()
    grown, size = _grown(before), path.stat().st_size

    def row(timing: Timing) -> BenchRow:
        where = "onnxruntime", "as in the file", ENCODER
        return BenchRow(path.name, *where, timing, size, grown)

    return _Task(row, lambda _: other.run())


def _accuracy(manifest: Manifest, entry: FileEntry) -> tuple[float | None, float | None]:
    """Returns (head DSC, plane F1) of a file, as far as the manifest knows them."""
    known = {m.name: m.value for m in manifest.metrics}
    dsc = known.get(_DSC)
    plane_f1 = next((value for name, value in known.items() if name.startswith(_F1)), None)
    if entry.precision is Precision.FP32:
        return dsc, plane_f1
    if entry.acceptance is None:
        return None, None
    lost = {figure.name: figure.value for figure in entry.acceptance.figures}
    return (
        None if dsc is None else dsc - lost.get("dsc_drop", 0.0),
        None if plane_f1 is None else plane_f1 - lost.get("plane_f1_drop", 0.0),
    )


def _resident_mib() -> float | None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _grown(before_mib: float | None) -> float | None:
    now = _resident_mib()
    return None if now is None or before_mib is None else max(0.0, now - before_mib)


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):
        return None


def _processor() -> str:
    import platform

    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()
