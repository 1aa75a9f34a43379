"""Turns are fair, and the bench says what ran and what did not."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fetalclip_edge.benchmark import BURST, WARM_UP, Timing, speed_up, take_turns
from fetalclip_edge.bundle.load import default_bundle_path
from tests.calibration.small import conv_onnx, small_bundle


def test_every_task_runs_as_often_and_none_is_always_first() -> None:
    ran: list[tuple[str, int]] = []
    tasks = {name: (lambda n, name=name: ran.append((name, n))) for name in "abc"}
    rounds = 3 * BURST - 4  # the last turn is short
    spent = take_turns(tasks, rounds, pause_s=0.0)
    assert all(timing.n == rounds for timing in spent.values())
    bursts = [(name, list(runs)) for name, runs in itertools.groupby(ran, key=lambda run: run[0])]
    assert [name for name, _ in bursts] == list("abcbcacab")
    for place, (_, runs) in enumerate(bursts):
        first = BURST * (place // 3)
        timed = range(first, min(first + BURST, rounds))
        assert [number for _, number in runs] == [first] * WARM_UP + list(timed)


def test_ratios_are_of_medians() -> None:
    slow, fast = Timing(9, 10.0, 50.0, 99.0), Timing(9, 4.0, 5.0, 6.0)
    assert speed_up(slow, fast) == 2.5
    assert fast.per_second == 250.0


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fetalclip_edge", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_shipped_bundle_and_another_file_stand_in_one_table(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(conv_onnx())
    done = run(
        *("--rounds", "2", "--compare", other, "--output-json", tmp_path / "b.json"),
        *("--report", tmp_path / "b.html"),
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "b.json").read_text())
    rows = {(row["what"], row["precision"], row["scope"]): row for row in record["rows"]}
    whole = next(row for key, row in rows.items() if key[1:] == ("fp32", "whole pass"))
    end = next(row for key, row in rows.items() if key[1:] == ("fp32", "end to end"))
    assert whole["timing"]["n"] == end["timing"]["n"] == 2
    assert whole["file_bytes"] == (default_bundle_path() / "model.fp32.onnx").stat().st_size
    assert whole["dsc"] == pytest.approx(0.97, abs=0.02)
    assert ("other.onnx", "as in the file", "encoder") in rows
    assert "power mode" in done.stdout
    page = (tmp_path / "b.html").read_text()
    assert "other.onnx" in page
    assert "<svg" in page


@pytest.mark.parametrize("data", [b"", b"no model"])
def test_a_file_to_compare_that_is_no_model_is_an_input_error(tmp_path: Path, data: bytes) -> None:
    bundle = small_bundle(tmp_path / "bundle")
    other = tmp_path / "other.onnx"
    other.write_bytes(data)
    done = run("--model", bundle.folder, "--rounds", "1", "--compare", other)
    assert done.returncode == 4, done.stderr
    assert "other.onnx" in done.stderr
    assert "Traceback" not in done.stderr
