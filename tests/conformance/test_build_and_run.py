"""`build` and the runner from end to end, on doubles of each version's real classes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from fetalclip_edge.bundle.load import Bundle, load_bundle
from fetalclip_edge.bundle.manifest import Precision
from fetalclip_edge.tensorrt.sidecar import read_sidecar
from tests.bundle.builder import FRAME_PATH, tiny_onnx
from tests.conformance.bindings import VERSIONS
from tests.conformance.cart_bundle import cart_bundle
from tests.conformance.conftest import Simulate


def step(*arguments: str, **conditions: Any) -> dict[str, Any]:
    return {"run": list(arguments), "on": conditions}


def nothing_left(told: dict[str, Any]) -> bool:
    return told["faults"] == [] and not any(told["left"].values())


def record(path: Path) -> dict[str, Any]:
    """Returns the line of a record, without what differs from run to run."""
    (line,) = path.read_text().splitlines()
    found: dict[str, Any] = json.loads(line)
    return {name: value for name, value in found.items() if "latency" not in name}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_bundle_is_built_compared_and_run(
    simulate: Simulate, tmp_path: Path, version: str
) -> None:
    bundle = cart_bundle(tmp_path / "bundle", extra={Precision.FP16: tiny_onnx()})
    folder, frame = str(bundle.folder), str(bundle.folder / FRAME_PATH)
    at = {name: tmp_path / f"{name}.jsonl" for name in ("tensorrt", "onnxruntime", "plain")}
    built, again, plain, compatible, *runs, verified = simulate(
        version,
        step("build", "--model", folder, "--precision", "fp32", "--workspace-mb", "64"),
        step("build", "--model", folder, "--precision", "fp32"),
        step("build", "--model", folder, "--precision", "fp16", can_capture=False),
        step("build", "--model", folder, "--precision", "fp16", "--version-compatible"),
        step(*_predict(frame, folder, at["tensorrt"]), "--backend", "tensorrt"),
        step(*_predict(frame, folder, at["plain"]), "--backend", "tensorrt", can_capture=False),
        step(*_predict(frame, folder, at["onnxruntime"]), "--backend", "onnxruntime"),
        step("verify", folder),
    )
    for told in (built, again, plain, compatible, *runs, verified):
        assert told["code"] == 0, told["err"]
        assert nothing_left(told), told

    settings = built["settings"]
    assert settings["strongly_typed"]
    assert settings["WORKSPACE"] == 64 * 2**20
    assert (settings["flags_set"], settings["flags_cleared"]) == ([], ["TF32"])
    assert settings["timing_caches"] == [""]
    assert again["settings"]["timing_caches"] == [f"timing {version}"]
    assert compatible["settings"]["flags_set"] == ["VERSION_COMPATIBLE"]
    assert "one graph launch" in built["out"]
    assert "without a CUDA graph" in plain["out"]
    assert plain["calls"].get("cudaGraphLaunch", 0) == 0

    engines = bundle.folder / "engines"
    sidecars = [read_sidecar(path) for path in sorted(engines.glob("*.json"))]
    assert [s.precision.value for s in sidecars] == ["fp16", "fp32"]
    assert len(list(engines.glob("*.engine"))) == 2  # an older one of the same kind is gone
    for sidecar in sidecars:
        data = (engines / sidecar.engine).read_bytes()
        assert sidecar.engine_sha256 == hashlib.sha256(data).hexdigest()
        assert sidecar.target.tensorrt == version
        assert sidecar.target.compute_capability == "8.7"
    assert sidecars[1].workspace_mb == 1024
    assert sidecars[0].version_compatible
    assert load_bundle(bundle.folder).digest == bundle.digest

    assert "auto: tensorrt fp32" in runs[0]["err"]  # fp16 has no gate figures
    assert runs[0]["calls"]["cudaGraphLaunch"] > 0
    assert record(at["tensorrt"]) == record(at["plain"]) == record(at["onnxruntime"])
    lines = verified["out"].splitlines()
    for what in ("golden frames, tensorrt fp32", "golden frames, tensorrt fp16"):
        assert any(what in line and "passed" in line for line in lines), verified["out"]


def _predict(frame: str, folder: str, output: Path) -> tuple[str, ...]:
    return "predict", frame, "--model", folder, "--spacing-mm", "1", "--output-jsonl", str(output)


def test_a_later_tensorrt_runs_a_compatible_engine(
    simulate: Simulate, tmp_path: Path, bundle: Bundle
) -> None:
    """The simulated runtime knows no compatibility: an engine that is let through fails there."""
    folder = str(bundle.folder)
    (built,) = simulate(
        "10.3.0", step("build", "--model", folder, "--precision", "fp32", "--version-compatible")
    )
    assert built["code"] == 0, built["err"]
    run = ("verify", folder)
    later, other = (simulate(v, step(*run))[0] for v in ("10.16.1.11", "11.4.0.106"))
    assert "please rebuild" in later["err"]
    assert "built for TensorRT 10.3.0; this machine has TensorRT 11.4.0.106" in other["out"]


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return cart_bundle(tmp_path / "bundle")
