"""The bindings of each version, fetched once and kept in pytest's cache."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.bindings import (
    CUDA,
    ROOT,
    VERSIONS,
    Bindings,
    NotAtHand,
    bindings,
    cuda_bindings,
)

Simulate = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="session")
def every(request: pytest.FixtureRequest) -> Callable[[str], Bindings]:
    """Returns what gives the bindings of a version, or skips and names what is missing."""
    cache = Path(request.config.cache.mkdir("tensorrt-bindings")) if request.config.cache else None
    missing: dict[str, str] = {}

    def get(version: str) -> Bindings:
        if importlib.util.find_spec("pybind11_stubgen") is None:
            pytest.skip("conformance needs the package pybind11-stubgen (extra dev)")
        if cache is None:
            pytest.skip("conformance needs pytest's cache")
        try:
            if version not in missing:
                return bindings(version, cache)
        except NotAtHand as error:
            missing[version] = str(error)
        pytest.skip(f"conformance needs {missing[version]}")

    return get


@pytest.fixture(scope="session")
def old_cuda(request: pytest.FixtureRequest) -> Callable[[], Path]:
    """Returns what gives the oldest allowed `cuda.bindings`, or skips."""

    def get() -> Path:
        assert request.config.cache is not None
        cache = Path(request.config.cache.mkdir("tensorrt-bindings"))
        try:
            return cuda_bindings(next(iter(CUDA)), cache)
        except NotAtHand as error:
            pytest.skip(f"conformance needs {error}")

    return get


@pytest.fixture(params=VERSIONS)
def made(request: pytest.FixtureRequest, every: Callable[[str], Bindings]) -> Bindings:
    """The bindings of one version after the other."""
    return every(request.param)


@pytest.fixture(scope="session")
def simulate(every: Callable[[str], Bindings], old_cuda: Callable[[], Path]) -> Simulate:
    """Returns what runs commands on a simulated cart of a version, all in one process."""

    def run(version: str, *steps: dict[str, Any], source: Path = ROOT) -> list[dict[str, Any]]:
        installed = importlib.util.find_spec("cuda.bindings") if _has("cuda") else None
        # the oldest TensorRT meets the oldest CUDA
        cuda = old_cuda() if version == next(iter(VERSIONS)) or installed is None else None
        done = every(version).run("simulated", json.dumps(steps), cuda=cuda, source=source)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    return run


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
