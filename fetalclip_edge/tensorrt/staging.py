"""Puts an engine in place so that at every moment an old one or a new one serves, whole.

The engine is written under a name that holds its own hash, then the sidecar that names it takes
the place of the old one in one rename, and only then the old engine goes. A process that is
killed in between leaves the old engine in use, and what it left behind is swept by the next.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetalclip_edge.bundle.manifest import Precision
from fetalclip_edge.errors import EnvironmentFault, SinkError
from fetalclip_edge.tensorrt.sidecar import Sidecar
from fetalclip_edge.tensorrt.store import Engine
from fetalclip_edge.tensorrt.target import Target

_STAGE_PREFIX = ".build-"
_LOCK = ".lock"
_KEY_CHARS = 12


class Staging:
    """A folder of engines that one build has for itself; made by `staging`.

    Attributes:
        folder: the folder of engines.
    """

    def __init__(self, folder: Path, stage: Path) -> None:
        self.folder = folder
        self._stage = stage

    def stage(self, data: bytes, sidecar: Sidecar) -> Engine:
        """Returns the engine, written where it can be tried but nothing finds it."""
        path = self._stage / sidecar.engine
        _write(path, data)
        return Engine(path, sidecar)

    def install(self, engine: Engine) -> Engine:
        """Puts a staged engine in the place of the one before it."""
        sidecar = engine.sidecar
        name = stem(sidecar.onnx_sha256, sidecar.precision, sidecar.target)
        placed = self.folder / sidecar.engine
        engine.path.replace(placed)
        _sync(self.folder)
        waiting = self._stage / "sidecar"
        _write(waiting, (sidecar.model_dump_json(indent=2) + "\n").encode())
        waiting.replace(self.folder / f"{name}.json")
        _sync(self.folder)
        for old in self.folder.glob(f"{name}.*.engine"):
            if old != placed:
                old.unlink()
        return Engine(placed, sidecar)

    def timing_cache(self, here: Target) -> bytes:
        """Returns what an earlier build measured on this machine, or nothing."""
        try:
            return self._timing_path(here).read_bytes()
        except OSError:
            return b""

    def keep_timing_cache(self, here: Target, data: bytes) -> None:
        """Keeps what a build measured."""
        waiting = self._stage / "timing"
        _write(waiting, data)
        waiting.replace(self._timing_path(here))

    def _timing_path(self, here: Target) -> Path:
        # it belongs to device, CUDA and TensorRT version, so all three are in its name
        facts = (here.gpu_name, here.compute_capability, here.cuda, here.tensorrt)
        return self.folder / f"timing-{_key(*facts)}.cache"


@contextmanager
def staging(folder: Path) -> Iterator[Staging]:
    """Takes the folder of engines for one build, and sweeps what a killed build left there.

    Raises:
        SinkError: the folder cannot be written, now or while it is in use.
        EnvironmentFault: another build has it.
    """
    try:
        folder.mkdir(exist_ok=True)
        # the lock goes with the process, so that a killed one blocks nobody
        with (folder / _LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EnvironmentFault(
                    f"{folder}",
                    expected="one build at a time",
                    arrived="another that runs",
                    remedy="Wait until it is done",
                ) from None
            for left in folder.glob(f"{_STAGE_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)
            stage = Path(tempfile.mkdtemp(prefix=_STAGE_PREFIX, dir=folder))
            try:
                yield Staging(folder, stage)
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise SinkError(
            f"{error.filename or folder}",
            expected="an engine that can be written",
            arrived=error.strerror or type(error).__name__,
            remedy="Free space, or copy the bundle to a folder of your own and give it by --model; "
            "an engine that was there before is untouched",
        ) from None


def stem(onnx_sha256: str, precision: Precision, target: Target) -> str:
    """Returns the name, without its ending, that engines of one model and machine share."""
    key = _key(onnx_sha256, target.gpu_name, target.compute_capability, target.tensorrt)
    return f"{precision.value}-sm{target.compute_capability}-trt{target.tensorrt}-{key}"


def engine_name(named: str, engine_sha256: str) -> str:
    """Returns the file name of an engine: the shared stem and its own hash."""
    return f"{named}.{engine_sha256[:_KEY_CHARS]}.engine"


def _key(*facts: str | None) -> str:
    text = "\n".join(fact or "" for fact in facts)
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_CHARS]


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
