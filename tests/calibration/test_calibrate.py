"""The whole command over a small bundle: what holds goes in, what does not leaves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.verifying import Verdict, verify_bundle
from tests.bundle.builder import tiny_bundle
from tests.calibration.small import conv_onnx, small_bundle, write_frames, write_table


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fetalclip_edge", "calibrate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    folder = tmp_path_factory.mktemp("made")
    small_bundle(folder / "in")
    for number in (1, 2):
        done = run(
            *("--model", folder / "in", "--frames", table, "--data", table),
            *("--output", folder / f"out{number}", "--report", folder / f"report{number}"),
        )
        assert done.returncode == 0, done.stderr
        assert "int8-ort holds" in done.stdout
        assert "int8-trt holds" in done.stdout
        assert "Traceback" not in done.stderr
    return folder


def test_files_that_hold_enter_the_bundle_with_their_figures(made: Path) -> None:
    bundle = load_bundle(made / "out1")
    for backend in (Backend.ONNXRUNTIME, Backend.TENSORRT):
        entry = bundle.entry(backend, Precision.INT8)
        assert entry.acceptance is not None
        figures = {figure.name: figure for figure in entry.acceptance.figures}
        assert set(figures) == {
            "hc_change_mean_mm", "hc_change_p95_mm", "dsc_drop", "plane_f1_drop"
        }  # fmt: skip
        assert figures["hc_change_mean_mm"].n == figures["plane_f1_drop"].n == 100
        assert figures["hc_change_mean_mm"].limit == 0.3
        assert bundle.manifest.tolerance(backend, Precision.INT8) is not None
    trt = bundle.entry(Backend.TENSORRT, Precision.INT8).acceptance
    assert trt is not None
    assert "not run on TensorRT" in trt.ran_on
    assert bundle.manifest.provenance.calibration_set_sha256 == trt.calibration_set_sha256


def test_the_bundle_made_passes_its_own_golden_frames(made: Path) -> None:
    checks = {check.what: check for check in verify_bundle(made / "out1").checks}
    assert checks["gate figures of onnxruntime int8"].verdict is Verdict.PASSED
    golden = checks["golden frames, onnxruntime int8"]
    assert golden.verdict in (Verdict.PASSED, Verdict.NOT_RUN), golden.detail


def test_two_runs_give_the_same_files_byte_for_byte(made: Path) -> None:
    first = {p.relative_to(made / "out1"): p for p in (made / "out1").rglob("*") if p.is_file()}
    for name, path in first.items():
        assert path.read_bytes() == (made / "out2" / name).read_bytes(), name
    ranges = [next((made / f"report{n}").glob("ranges-*.json")) for n in (1, 2)]
    assert ranges[0].name == ranges[1].name
    assert ranges[0].read_bytes() == ranges[1].read_bytes()


def test_the_report_says_what_was_done(made: Path) -> None:
    record = json.loads((made / "report1" / "calibration.json").read_text())
    assert record["calibration_frames"] == 40
    assert record["test_frames"] == 200
    by_target = {item["target"]: item for item in record["targets"]}
    assert by_target["int8-ort"]["speed"]["ratio"] > 0
    assert by_target["int8-trt"]["speed"] is None
    assert {item["layer"] for item in by_target["int8-ort"]["sensitivities"]} == {
        "conv1", "conv2", "conv3"
    }  # fmt: skip
    page = (made / "report1" / "calibration.html").read_text()
    assert "Worst frames" in page
    assert "data:image/png;base64" in page
    assert "<script" not in page


def test_kept_ranges_are_used_again(made: Path, table: Path) -> None:
    done = run(
        *("--model", made / "in", "--frames", table, "--data", table, "--target", "int8-ort"),
        *("--output", made / "out3", "--report", made / "report1"),
    )
    assert done.returncode == 0, done.stderr
    assert "activation ranges of" in " ".join(done.stderr.split())
    assert "tensors in" not in done.stderr
    assert load_bundle(made / "out3").manifest.file(Backend.TENSORRT, Precision.INT8) is None


def test_layers_are_spared_until_the_file_holds_and_no_more(tmp_path: Path, table: Path) -> None:
    small_bundle(tmp_path / "in", conv_onnx(bright_corner=True))
    done = run(
        *("--model", tmp_path / "in", "--frames", table, "--data", table),
        *("--target", "int8-trt", "--output", tmp_path / "out", "--report", tmp_path / "report"),
    )
    assert done.returncode == 0, done.stderr
    accepted = load_bundle(tmp_path / "out").entry(Backend.TENSORRT, Precision.INT8).acceptance
    assert accepted is not None
    assert accepted.float_layers
    (target,) = json.loads((tmp_path / "report" / "calibration.json").read_text())["targets"]
    tried = {tuple(trial["float_layers"]): trial["passed"] for trial in target["trials"]}
    kept = accepted.float_layers
    assert tried[kept]
    for layer in kept:
        assert tried[tuple(name for name in kept if name != layer)] is False


def test_a_file_that_does_not_hold_leaves_the_report_alone(tmp_path: Path, table: Path) -> None:
    # for ONNX Runtime the Add in front of the convolutions is quantized too, whatever is spared
    small_bundle(tmp_path / "in", conv_onnx(bright_corner=True))
    done = run(
        *("--model", tmp_path / "in", "--frames", table, "--data", table),
        *("--target", "int8-ort", "--output", tmp_path / "out", "--report", tmp_path / "report"),
    )
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    assert "nothing was written" in done.stderr
    assert "gaps the report names" in done.stderr
    assert not (tmp_path / "out").exists()
    record = json.loads((tmp_path / "report" / "calibration.json").read_text())
    (target,) = record["targets"]
    assert target["passed"] is False
    assert target["reasons"]
    assert target["test"] == []  # the test frames are not looked at for a file that failed before
    assert max(len(trial["float_layers"]) for trial in target["trials"]) == 3


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (3, "at least 32 different gray frames of 8 bits, got 3"),
        (0, "at least one image"),
    ],
)
def test_too_few_frames_are_an_input_error(
    tmp_path: Path, table: Path, frames: int, words: str
) -> None:
    small_bundle(tmp_path / "in")
    done = run(
        *("--model", tmp_path / "in", "--frames", write_frames(tmp_path / "f", frames)),
        *("--data", table, "--output", tmp_path / "out", "--report", tmp_path / "report"),
    )
    assert done.returncode == 4, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_bundle_without_golden_frames_is_refused(tmp_path: Path, table: Path) -> None:
    bundle = tiny_bundle(tmp_path / "in", conv_onnx())
    path = bundle.folder / "manifest.json"
    fields = json.loads(path.read_text())
    fields["golden"]["frames"] = []
    path.write_text(json.dumps(fields))
    done = run(
        *("--model", tmp_path / "in", "--frames", table, "--data", table),
        *("--output", tmp_path / "out"),
    )
    assert done.returncode == 4, done.stderr
    assert "golden.frames" in done.stderr
    assert "Traceback" not in done.stderr
