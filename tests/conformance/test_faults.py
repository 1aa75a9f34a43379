"""What goes wrong on a cart: one line, the right exit code, and the old engine still serves."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetalclip_edge.bundle.load import Bundle, default_bundle_path
from fetalclip_edge.bundle.manifest import Precision
from tests.bundle.builder import FRAME_PATH, tiny_onnx
from tests.cli.test_faults import needs_small_disk, on_small_disk
from tests.conformance.bindings import Bindings
from tests.conformance.cart_bundle import cart_bundle, with_operator
from tests.conformance.conftest import Simulate
from tests.conformance.test_build_and_run import nothing_left, step

VERSION = "10.3.0"
UNBUILDABLE = {
    Precision.FP16: with_operator("Frobnicate"),
    Precision.INT8: tiny_onnx(dtype="FLOAT"),
}


def build(bundle: Bundle, **conditions: Any) -> dict[str, Any]:
    arguments = ("build", "--model", str(bundle.folder), "--precision", "fp32")
    return step(*arguments, **conditions)


def run(bundle: Bundle, **conditions: Any) -> dict[str, Any]:
    frame = str(bundle.folder / FRAME_PATH)
    asked = ("--backend", "tensorrt", "--precision", "fp32")
    return step("predict", frame, "--model", str(bundle.folder), *asked, **conditions)


def engines(bundle: Bundle) -> dict[str, bytes]:
    """Returns what stands for engines, without the lock and the timing cache."""
    found = (bundle.folder / "engines").iterdir()
    return {p.name: p.read_bytes() for p in found if p.suffix in (".json", ".engine")}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return cart_bundle(tmp_path / "bundle", extra=UNBUILDABLE)


@pytest.fixture(scope="module")
def built_once(simulate: Simulate, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    bundle = cart_bundle(tmp_path_factory.mktemp("built") / "bundle")
    (told,) = simulate(VERSION, build(bundle))
    assert told["code"] == 0, told["err"]
    return bundle


@pytest.fixture
def built(built_once: Bundle, tmp_path: Path) -> Bundle:
    """A bundle with an engine, to be spoilt."""
    shutil.copytree(built_once.folder, tmp_path / "built")
    return Bundle(tmp_path / "built", built_once.manifest, built_once.digest)


def one_line(told: dict[str, Any], code: int, *words: str) -> None:
    assert told["code"] == code, told
    assert "Traceback" not in told["err"]
    last = told["err"].strip().splitlines()[-1]
    assert last.startswith("fetalclip-edge: ")
    for word in words:
        assert word in last, last
    assert nothing_left(told), told


def test_what_cannot_be_built(simulate: Simulate, bundle: Bundle, tmp_path: Path) -> None:
    bare = cart_bundle(tmp_path / "bare", tolerant=False)
    folder = str(bundle.folder)
    operator, dtype, tolerance, shipped, missing, gpu = simulate(
        VERSION,
        step("build", "--model", folder, "--precision", "fp16"),
        step("build", "--model", folder, "--precision", "int8"),
        build(bare),
        step("build", "--precision", "fp16"),
        step("build", "--model", str(bare.folder), "--precision", "fp16"),
        build(bundle, gpu_name=""),
    )
    one_line(operator, 4, "model-fp16-trt.onnx", "node 'the strange one' (Frobnicate)")
    one_line(operator, 4, f"expected a model that TensorRT {VERSION} can parse")
    one_line(dtype, 4, "model-int8-trt.onnx", "one uint8 input (1, 1, 64, 64)")
    one_line(tolerance, 5, "golden tolerances for tensorrt/fp32", "no engine can be judged")
    one_line(missing, 4, "a model file for tensorrt/fp16")
    one_line(gpu, 3, "an NVIDIA GPU with its driver", "--backend onnxruntime")
    one_line(shipped, 4, "a model file for tensorrt/fp16")  # left out, so that the wheel is small
    assert not (default_bundle_path() / "engines").exists()
    assert not (bundle.folder / "engines").exists() or engines(bundle) == {}


def test_a_wrong_engine_is_never_put_in_place(simulate: Simulate, built: Bundle) -> None:
    before = engines(built)
    wrong, stopped, after = simulate(
        VERSION,
        build(built, error=5.0),
        build(built, step_signal=int(signal.SIGINT)),
        run(built),
    )
    one_line(wrong, 5, "self-test failed on 1 of 1 golden frames", "expected at")
    assert stopped["code"] == 130, stopped
    assert nothing_left(stopped)
    assert engines(built) == before
    assert not list((built.folder / "engines").glob(".build-*"))
    assert after["code"] == 0, after["err"]


def edit(bundle: Bundle, **target: str) -> None:
    (path,) = (bundle.folder / "engines").glob("*.json")
    sidecar = json.loads(path.read_text())
    sidecar["target"].update(target)
    path.write_text(json.dumps(sidecar))


def test_an_engine_of_another_machine(simulate: Simulate, built: Bundle) -> None:
    auto = ("predict", str(built.folder / FRAME_PATH), "--model", str(built.folder))
    edit(built, compute_capability="8.6", tensorrt="10.2.0")
    refused, passed_over = simulate(VERSION, run(built), step(*auto))
    words = "built for SM 8.6 / TensorRT 10.2.0; this machine has SM 8.7 / TensorRT 10.3.0"
    one_line(refused, 3, words, "Run: fetalclip-edge build", "--precision fp32")
    assert passed_over["code"] == 0
    assert "auto: onnxruntime fp32; not tensorrt fp32: " in passed_over["err"]
    assert words in passed_over["err"]

    # a sidecar that lies is found out by TensorRT itself, whose reason stands in its log alone
    edit(built, compute_capability="9.0", tensorrt=VERSION)
    (lied_to,) = simulate(VERSION, run(built, compute_capability=[9, 0]))
    one_line(lied_to, 3, "Engine plan expecting sm 8.7 got 9.0, please rebuild")


def test_a_damaged_engine(simulate: Simulate, built: Bundle, tmp_path: Path) -> None:
    damages: dict[str, Callable[[bytes], bytes]] = {
        "bytes, got": lambda data: data[: len(data) // 2],
        "expected sha256": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        "bytes, got 0": lambda data: b"",
    }
    copies = [Bundle(tmp_path / str(n), built.manifest, built.digest) for n in range(len(damages))]
    for copy, damage in zip(copies, damages.values(), strict=True):
        shutil.copytree(built.folder, copy.folder)
        (path,) = (copy.folder / "engines").glob("*.engine")
        path.write_bytes(damage(path.read_bytes()))
    (path,) = (built.folder / "engines").glob("*.engine")
    path.unlink()
    *spoilt, gone = simulate(VERSION, *(run(copy) for copy in copies), run(built))
    for words, told in (*zip(damages, spoilt, strict=True), ("No such file or directory", gone)):
        one_line(told, 4, path.name, words, "Run: fetalclip-edge build")


def test_a_damaged_sidecar_is_no_engine(simulate: Simulate, built: Bundle, tmp_path: Path) -> None:
    texts = ("", "{", '{"schema_id": "fetalclip-edge/engine/2"}')
    copies = [Bundle(tmp_path / str(n), built.manifest, built.digest) for n in range(len(texts))]
    for copy, text in zip(copies, texts, strict=True):
        shutil.copytree(built.folder, copy.folder)
        (path,) = (copy.folder / "engines").glob("*.json")
        path.write_text(text)
    *refused, rebuilt, again = simulate(
        VERSION, *(run(copy) for copy in copies), build(copies[0]), run(copies[0])
    )
    for told in refused:
        one_line(told, 3, "got none, not built yet")
    assert (rebuilt["code"], again["code"]) == (0, 0)


def test_one_build_at_a_time(simulate: Simulate, built: Bundle) -> None:
    with (built.folder / "engines" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused, runs = simulate(VERSION, build(built), run(built))
    one_line(refused, 3, "one build at a time")
    assert runs["code"] == 0


def command(every: Callable[[str], Bindings], steps: list[Any]) -> tuple[tuple[str, ...], Any]:
    environment = every(VERSION).environment()
    return (sys.executable, "-m", "tests.conformance.simulated", json.dumps(steps)), environment


@needs_small_disk
def test_a_disk_that_fills_during_the_build(
    every: Callable[[str], Bindings], built: Bundle, tmp_path: Path
) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    kept.mkdir()
    on_disk = Bundle(disk, built.manifest, built.digest)
    big = [build(on_disk, plan_bytes=200_000)]
    parts, environment = command(every, [*big, run(on_disk)])
    variables = [f"{k}={environment[k]}" for k in ("PYTHONPATH", "LD_LIBRARY_PATH")]
    copy_then_run = 'cp -r "$0"/. "$1"/ && shift && exec "$@"'
    done = on_small_disk(
        disk,
        "160k",
        ("sh", "-c", copy_then_run, str(built.folder), str(disk), "env", *variables, *parts),
        kept,
    )
    assert done.returncode == 0, done.stderr
    full, after = json.loads(done.stdout)
    one_line(full, 3, "No space left on device", "an engine that was there before is untouched")
    assert after["code"] == 0, after["err"]
    assert engines(Bundle(kept, built.manifest, built.digest)) == engines(built)


def test_a_build_that_is_killed(
    every: Callable[[str], Bindings], simulate: Simulate, built: Bundle
) -> None:
    before = engines(built)
    folder = built.folder / "engines"
    parts, environment = command(every, [build(built, build_seconds=60)])
    process = subprocess.Popen(parts, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(folder.glob(".build-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    assert list(folder.glob(".build-*")), "the build was not killed in its middle"
    assert engines(built) == before
    runs, rebuilt, again = simulate(VERSION, run(built), build(built), run(built))
    assert [told["code"] for told in (runs, rebuilt, again)] == [0, 0, 0]
    assert not list(folder.glob(".build-*"))
    assert engines(built).keys() != before.keys()


def test_a_folder_that_may_not_be_written(simulate: Simulate, bundle: Bundle) -> None:
    shutil.rmtree(bundle.folder / "engines", ignore_errors=True)
    (bundle.folder / "engines").write_text("a file where the folder should be")
    (told,) = simulate(VERSION, build(bundle))
    one_line(told, 3, "an engine that can be written", "--model")
