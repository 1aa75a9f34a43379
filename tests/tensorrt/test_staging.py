"""Engines are put in place so that a kill at any moment leaves one that is whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Precision
from fetalclip_edge.errors import SinkError
from fetalclip_edge.tensorrt.sidecar import Sidecar
from fetalclip_edge.tensorrt.staging import engine_name, staging, stem
from fetalclip_edge.tensorrt.store import ENGINES, Engine, engines_for, find_engine
from fetalclip_edge.tensorrt.target import Target
from tests.bundle.builder import tiny_bundle

HERE = Target(gpu_name="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")
OLD, NEW = b"the old engine", b"the new engine"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return tiny_bundle(tmp_path / "bundle")


def put(bundle: Bundle, data: bytes, target: Target = HERE) -> Engine:
    onnx_sha256 = bundle.manifest.files[0].sha256
    digest = hashlib.sha256(data).hexdigest()
    sidecar = Sidecar(
        engine=engine_name(stem(onnx_sha256, Precision.FP32, target), digest),
        engine_sha256=digest,
        engine_bytes=len(data),
        onnx_sha256=onnx_sha256,
        precision=Precision.FP32,
        target=target,
        flags=("STRONGLY_TYPED",),
        workspace_mb=64,
        build_seconds=1.0,
        built_by="0",
    )
    with staging(bundle.folder / ENGINES) as stage:
        return stage.install(stage.stage(data, sidecar))


def serving(bundle: Bundle) -> bytes:
    return find_engine(bundle, Precision.FP32, HERE).read()


def test_the_new_takes_the_place_of_the_old(bundle: Bundle) -> None:
    put(bundle, OLD)
    assert serving(bundle) == OLD
    put(bundle, NEW)
    assert serving(bundle) == NEW
    assert len(list((bundle.folder / ENGINES).glob("*.engine"))) == 1


def test_each_machine_has_its_own(bundle: Bundle) -> None:
    other = HERE.model_copy(update={"gpu_name": "another with SM 8.7"})
    put(bundle, OLD)
    put(bundle, NEW, other)
    assert serving(bundle) == OLD
    assert find_engine(bundle, Precision.FP32, other).read() == NEW
    assert len(engines_for(bundle, Precision.FP32)) == 2


_CALLS = ("fsync", "rename", "replace", "unlink", "mkdir", "rmdir")


_CHANGES = 10  # in one installation


@pytest.mark.parametrize("after", range(_CHANGES + 1))
def test_killed_at_any_call(bundle: Bundle, after: int) -> None:
    """The child is ended just before its n-th change of the disk, with nothing tidied up."""
    put(bundle, OLD)
    child = os.fork()
    if child == 0:
        left = iter(range(after))
        for name in _CALLS:
            real = getattr(os, name)

            def dying(*args: object, _real: object = real, **kwargs: object) -> object:
                if next(left, None) is None:
                    os._exit(9)
                return _real(*args, **kwargs)  # type: ignore[operator]

            setattr(os, name, dying)
        put(bundle, NEW)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code == (0 if after >= _CHANGES else 9)
    assert serving(bundle) == NEW if code == 0 else serving(bundle) in (OLD, NEW)
    put(bundle, b"the next")
    assert serving(bundle) == b"the next"
    left_over = {path.suffix for path in (bundle.folder / ENGINES).iterdir()}
    assert left_over == {".engine", ".json", ""}
    assert len(list((bundle.folder / ENGINES).glob("*.engine"))) == 1


def test_nowhere_to_write(bundle: Bundle) -> None:
    (bundle.folder / ENGINES).write_text("a file")
    with pytest.raises(SinkError, match="an engine that can be written"):
        put(bundle, NEW)
