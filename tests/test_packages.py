"""The packages a cart needs can be had for it, and the shipped bundle runs in the oldest of them.

Both tests ask a package index, through pip, and skip where none answers or it breaks off.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

from fetalclip_edge.bundle.load import default_bundle_path, load_bundle

ROOT = Path(__file__).parent.parent
JETPACK_6_ONNXRUNTIME = "1.23.2"
MAX_IR_VERSION = 10  # ONNX Runtime 1.23.2 refuses later ones
PATIENCE = ("--timeout", "15", "--retries", "3")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", *PATIENCE)
BROKE_OFF = "error: connection-"  # how pip names a host that is not reached or falls silent
GLIBC = range(17, 36)  # Ubuntu 22.04, on which JetPack 6 is built, has 2.35

SELF_TEST = """
import onnxruntime
from fetalclip_edge.model import Model
from fetalclip_edge.selftest import check_self_test, run_self_test
with Model() as model:
    check_self_test(run_self_test(model.bundle, model.session(gate=False)))
    print(onnxruntime.__version__, len(model.bundle.manifest.golden.frames))
"""


def _pip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PIP, *arguments], capture_output=True, text=True, check=False, timeout=300
    )


def _resolve(
    python: str, machine: str, requirements: list[str], target: Path
) -> subprocess.CompletedProcess[str]:
    tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"manylinux2014_{machine}"]
    return _pip(
        *("install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"),
        *("--only-binary", ":all:", "--python-version", python, "--implementation", "cp"),
        *(part for tag in tags for part in ("--platform", tag)),
        *("--target", str(target)),  # pip wants one for a foreign platform; nothing is written
        *requirements,
    )


def _needs_an_index() -> None:
    asked = _pip(
        *("install", "--dry-run", "--ignore-installed", "--no-deps", "--retries", "0"),
        "typing-extensions",
    )
    if asked.returncode != 0:
        last = (asked.stderr.strip().splitlines() or ["pip failed"])[-1]
        pytest.skip(f"no package index answers: {last}")


@pytest.mark.parametrize(("python", "machine"), [("3.10", "aarch64"), ("3.11", "x86_64")])
def test_the_extra_cpu_can_be_had(python: str, machine: str, tmp_path: Path) -> None:
    tomllib: Any = pytest.importorskip("tomllib", reason="reads pyproject.toml: Python 3.11")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = project["dependencies"] + project["optional-dependencies"]["cpu"]
    _needs_an_index()
    done = _resolve(python, machine, requirements, tmp_path)
    if BROKE_OFF in done.stderr:
        pytest.skip(f"the package index broke off: {done.stderr.split(BROKE_OFF)[1].split()[0]}")
    assert done.returncode == 0, done.stderr
    wheels = {
        item["metadata"]["name"].lower(): item["download_info"]["url"].rsplit("/", 1)[1]
        for item in json.loads(done.stdout)["install"]
    }
    wanted = {requirement.split(">")[0] for requirement in requirements}
    assert wanted <= set(wheels)
    for name in ("numpy", "onnxruntime", "opencv-python"):
        assert wheels[name].endswith(f"_{machine}.whl"), wheels[name]
    assert f"-cp{python.replace('.', '')}-" in wheels["onnxruntime"]
    assert "torch" not in wheels


def test_the_shipped_bundle_runs_in_the_onnx_runtime_of_jetpack_6(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = _onnxruntime(request, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", SELF_TEST],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))},
    )
    assert done.returncode == 0, done.stderr
    golden = len(load_bundle(default_bundle_path()).manifest.golden.frames)
    assert done.stdout.split() == [JETPACK_6_ONNXRUNTIME, str(golden)]


def _onnxruntime(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Returns a folder with that ONNX Runtime alone, from the cache of pytest where it can."""
    cache = getattr(request.config, "cache", None)
    name = f"onnxruntime-{JETPACK_6_ONNXRUNTIME}-{sys.implementation.cache_tag}"
    parent = tmp_path if cache is None else Path(cache.mkdir("packages"))
    if not (parent / name).is_dir():
        fresh = parent / f"{name}.{os.getpid()}"
        # without its dependencies: what it imports (numpy) is that of this environment
        done = _pip(
            *("install", "--quiet", "--no-deps", "--only-binary", ":all:"),
            *("--target", str(fresh), f"onnxruntime=={JETPACK_6_ONNXRUNTIME}"),
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
            pytest.skip(f"onnxruntime {JETPACK_6_ONNXRUNTIME} cannot be fetched: {last}")
        fresh.rename(parent / name)
    return parent / name


def test_the_shipped_models_are_old_enough_for_it() -> None:
    bundle = load_bundle(default_bundle_path())
    for entry in bundle.manifest.files:
        model = onnx.load(str(bundle.folder / entry.path), load_external_data=False)
        assert model.ir_version <= MAX_IR_VERSION, entry.path
