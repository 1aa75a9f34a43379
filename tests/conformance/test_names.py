"""Every name that the code uses is in every version; a name that one version lacks is found."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.bindings import ROOT, VERSIONS, Bindings
from tests.conformance.cart_bundle import cart_bundle
from tests.conformance.names import SOURCES

NEWEST = list(VERSIONS)[-1]

MUST_BE_FOUND = {
    "Builder.build_serialized_network",
    "Builder.create_network",
    "BuilderFlag.VERSION_COMPATIBLE",
    "ICudaEngine.create_execution_context",
    "IBuilderConfig.progress_monitor",
    "IBuilderConfig.set_timing_cache",
    "IExecutionContext.execute_async_v3",
    "IExecutionContext.set_tensor_address",
    "ILogger.log",
    "IProgressMonitor.step_complete",
    "MemoryPoolType.WORKSPACE",
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
    "OnnxParser.get_error",
    "ParserError.desc",
    "Runtime.deserialize_cuda_engine",
    "Runtime.engine_host_code_allowed",
    "TensorIOMode.INPUT",
}
"""Some of the uses that stand in the code, so that a checker that sees nothing cannot pass."""


@dataclass(frozen=True)
class Break:
    """One thing broken on purpose.

    Attributes:
        file: source file in the package.
        right: what stands there.
        wrong: what is put in its place.
        names: whether the check of names finds it.
        mypy: whether mypy finds it.
        versions: where it is wrong.
    """

    file: str
    right: str
    wrong: str
    names: bool = True
    mypy: bool = True
    versions: tuple[str, ...] = tuple(VERSIONS)


PLAN, RUNNER, PROGRESS = "tensorrt/plan.py", "runners/tensorrt.py", "tensorrt/progress.py"
BREAKS = {
    # TensorRT 10 still has this flag; 11 does not
    "a flag that 11 removed": Break(
        PLAN, "trt.BuilderFlag.TF32", "trt.BuilderFlag.FP16", versions=(NEWEST,)
    ),
    "a misspelt method": Break(PLAN, ".build_serialized_network(", ".build_serialised_network("),
    "a misspelt keyword": Break(PLAN, "ignore_mismatch=False", "ignore_mismatches=False"),
    "a misspelt enum": Break(RUNNER, "trt.TensorIOMode.INPUT", "trt.TensorIOMode.INPUTS"),
    "one argument more": Break(
        RUNNER, "execute_async_v3(int(self.stream.handle))", "execute_async_v3(0, 1)"
    ),
    "an argument of another type": Break(
        RUNNER,
        "set_tensor_address(name, self._device[name].address)",
        "set_tensor_address(self._device[name].address, name)",
        names=False,  # only mypy knows what a buffer's address is
    ),
    "a callback of another name": Break(
        PROGRESS, "def phase_finish(", "def phase_finished(", mypy=False
    ),
}


def copy_of(folder: Path, *breaks: Break) -> Path:
    """Returns a folder with the package's code, with these things broken in it."""
    package = folder / "fetalclip_edge"
    shutil.copytree(
        ROOT / "fetalclip_edge", package, ignore=shutil.ignore_patterns("models", "__pycache__")
    )
    for item in breaks:
        path = package / item.file
        text = path.read_text()
        assert item.right in text, f"{item.file} no longer holds {item.right}"
        path.write_text(text.replace(item.right, item.wrong))
    return folder


def test_every_name_and_argument_is_there(made: Bindings) -> None:
    done = made.run("names", str(ROOT / "fetalclip_edge"))
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)
    assert found["faults"] == []
    assert set(found["uses"]) >= MUST_BE_FOUND
    # what the stubs could not hold, mypy cannot check: none of it may be used
    assert not {use.rsplit(".", 1)[-1] for use in found["uses"]} & made.vague


def test_what_is_broken_is_found_by_its_name(made: Bindings, tmp_path: Path) -> None:
    folders = {
        name: copy_of(tmp_path / name, item) / "fetalclip_edge"
        for name, item in BREAKS.items()
        if item.names
    }
    done = made.run("names", *map(str, folders.values()))
    assert done.returncode == 0, done.stderr
    found = [bool(each["faults"]) for each in json.loads(done.stdout)]
    wanted = [made.version in BREAKS[name].versions for name in folders]
    assert dict(zip(folders, found, strict=True)) == dict(zip(folders, wanted, strict=True))


def mypy(made: Bindings, source: Path, cache: Path) -> list[str]:
    """Returns mypy's errors over the TensorRT side, with the stubs of one version."""
    config = cache / "mypy.ini"
    config.write_text(
        "[mypy]\nstrict = True\npython_version = 3.10\nfollow_imports = silent\n"
        "[mypy-cuda.*,onnxruntime.*]\nignore_missing_imports = True\n"
        "[mypy-tensorrt.*,tensorrt_bindings.*]\nignore_errors = True\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", str(config), "--no-error-summary"),
            *("--cache-dir", str(cache / "mypy")),
            *(f"fetalclip_edge/{item}" for item in SOURCES),
        ],
        env={**made.environment(), "MYPYPATH": str(made.stubs)},
        cwd=source,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout.splitlines()


def test_mypy_finds_nothing(made: Bindings) -> None:
    assert mypy(made, ROOT, made.stubs.parent) == []


def test_mypy_finds_what_is_broken(made: Bindings, tmp_path: Path) -> None:
    broken = [b for b in BREAKS.values() if b.mypy and made.version in b.versions]
    source = copy_of(tmp_path / "source", *broken)
    errors = mypy(made, source, made.stubs.parent)
    for item in broken:
        lines = (source / "fetalclip_edge" / item.file).read_text().splitlines()
        number = next(n for n, line in enumerate(lines, start=1) if item.wrong in line)
        at = f"fetalclip_edge/{item.file}:{number}:"
        assert any(error.startswith(at) for error in errors), (item.wrong, errors)


@pytest.mark.parametrize(
    "name", ["a flag that 11 removed", "one argument more", "an argument of another type"]
)
def test_what_is_broken_does_not_run_on_doubles(
    every: Callable[[str], Bindings], tmp_path: Path, name: str
) -> None:
    source = copy_of(tmp_path / "source", BREAKS[name])
    bundle = cart_bundle(tmp_path / "bundle")
    steps: list[Any] = [{"run": ["build", "--model", str(bundle.folder), "--precision", "fp32"]}]
    done = every(NEWEST).run("simulated", json.dumps(steps), source=source)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(("AttributeError", "TypeError"))
