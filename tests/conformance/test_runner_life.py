"""Contexts share an engine, hold what they need, and give all of it back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.bindings import VERSIONS, Bindings
from tests.conformance.cart_bundle import cart_bundle
from tests.conformance.conftest import Simulate
from tests.conformance.test_build_and_run import step

NEWEST = list(VERSIONS)[-1]
ONE = {"device": 4, "host": 4, "event": 2, "graph": 0, "exec": 1, "stream": 1}
NONE = dict.fromkeys(ONE, 0)


def test_what_a_runner_holds(
    every: Callable[[str], Bindings], simulate: Simulate, tmp_path: Path
) -> None:
    folder = str(cart_bundle(tmp_path / "bundle").folder)
    (built,) = simulate(NEWEST, step("build", "--model", folder, "--precision", "fp32"))
    assert built["code"] == 0, built["err"]
    done = every(NEWEST).run("runner_life", folder)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    assert seen["faults"] == []
    assert "must be entered" in seen["before"]
    assert seen["two"] == {kind: 2 * count for kind, count in ONE.items()}
    assert seen["masks"] == [1.0, -2.0]
    assert seen["same_buffers"]
    assert seen["device_ms"] == pytest.approx(0.25)
    assert seen["info"] == "Simulated Orin, SM 8.7"
    assert seen["one"] == seen["after_full"] == ONE
    assert "cudaErrorMemoryAllocation" in seen["full"]
    # an array that someone still holds keeps its memory, so that reading it is never a crash
    assert seen["kept"] == 2.0
    assert "released with its runner" in seen["after"]
    assert seen["held"] == {**NONE, "host": 4}
    assert seen["end"] == NONE
    assert set(seen["versions"]) == {"9.3.0", "10.2.0", "12.0.0"}
    assert "a version from 10.3 to 11.x, got 12.0.0" in seen["versions"]["12.0.0"]
