"""The command line as a user meets it, over the shipped bundle."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import cv2
import pytest

from fetalclip_edge.bundle.load import default_bundle_path
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.sources.demo import DemoSource


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fetalclip_edge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("stream", "--devise", "demo"), 2, "No such option"),
        (("stream", "--device", "demo", "--roi", "1,2"), 2, "auto, none, or x,y,w,h"),
        (("stream", "--device", "demo", "--spacing-mm", "12"), 2, "(0, 10] mm"),
        (("stream", "--device", "none.mp4"), 4, "nothing there"),
        (("predict", "/nowhere"), 4, "nothing there"),
        (("inspect", "/nowhere"), 4, "bundle"),
        (("distill",), 2, "Missing option"),
        (("distill", "--data", "/nowhere", "--run", "/nowhere/run"), 4, "HC18"),
        (("evaluate", "--data", "/"), 2, "Missing option"),
        (("export", "--bogus"), 2, "No such option"),
        (("export", "--run", "/nowhere", "--data", "/", "--bundle", "/nowhere"), 4, "run.json"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(
    arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    flat = " ".join(done.stderr.split())
    assert words in flat
    assert "Traceback" not in done.stderr


def test_help_is_light() -> None:
    code = "import sys, fetalclip_edge.cli.app; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"cv2", "onnxruntime", "torch"} & set(out.stdout.split())


def test_a_stage_without_its_checkout_says_so_in_one_line(tmp_path: Path) -> None:
    package = tmp_path / "fetalclip_edge"
    shutil.copytree(Path(__file__).parents[2] / package.name, package)
    paths = [str(tmp_path), sysconfig.get_path("purelib")]
    code = f"import sys; sys.path[:0] = {paths}; sys.argv[1:] = ['distill']; "
    code += "from fetalclip_edge.cli.app import main; main()"
    # -S: without the links that an editable install keeps to the checkout
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3, done.stderr
    assert "From a checkout" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_demo_is_measured_within_three_percent(tmp_path: Path) -> None:
    lines, video = tmp_path / "out.jsonl", tmp_path / "out.mkv"
    summary = tmp_path / "summary.json"
    done = run(
        *("stream", "--device", "demo", "--output-jsonl", str(lines)),
        *("--output-video", str(video), "--summary", str(summary)),
    )
    assert done.returncode == 0, done.stderr
    with DemoSource() as source:
        assert isinstance(source, DemoSource)
        truth = source.truth(0)
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    values = [record["measurements"][0]["value_mm"] for record in records]
    measured = [value for value in values if value is not None]
    assert len(measured) >= 0.9 * len(records)
    assert max(abs(value - truth) / truth for value in measured) <= 0.03
    assert json.loads(summary.read_text())["frames"] == len(records) == 300
    assert video.stat().st_size > 0


def test_predict_writes_lines_masks_and_overlays(tmp_path: Path) -> None:
    phantom = Phantom(7).draw(0.0)
    folder = tmp_path / "in"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), phantom.pixels)
    cv2.imwrite(str(folder / "a_Annotation.png"), phantom.pixels)
    (folder / "bad.png").write_bytes(b"no image")
    table = tmp_path / "t.csv"
    table.write_text(
        "filename,pixel size(mm),head circumference (mm)\n"
        f"a.png,{phantom.spacing_mm},{phantom.true_hc_mm}\n"
    )
    done = run(
        *("predict", str(folder), "--spacing-csv", str(table)),
        *("--output-jsonl", str(tmp_path / "o.jsonl"), "--mask-dir", str(tmp_path / "m")),
        *("--overlay-dir", str(tmp_path / "v")),
    )
    assert done.returncode == 0, done.stderr
    assert "1 outline images" in done.stderr
    assert "bad.png" in done.stderr
    assert "not trained on: n 1, measured 1, withheld 0" in done.stdout
    (record,) = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert record["path"].endswith("a.png")
    hc = record["measurements"][0]["value_mm"]
    assert hc == pytest.approx(phantom.true_hc_mm, rel=0.03)
    assert (tmp_path / "m" / "head" / "a.png").is_file()
    assert (tmp_path / "v" / "a.png").is_file()


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), Phantom(7).draw(0.0).pixels)
    (tmp_path / "file").write_bytes(b"")
    done = run("predict", str(tmp_path / "a.png"), "--mask-dir", str(tmp_path / "file" / "m"))
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_scale_nothing_is_in_mm(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), Phantom(7).draw(0.0).pixels)
    done = run("predict", str(tmp_path / "a.png"), "--output-jsonl", "-")
    (line,) = done.stdout.splitlines()
    for item in json.loads(line)["measurements"]:
        assert item["value_mm"] is None
        assert item["withheld_reason"] == "scale unknown"


def test_an_altered_bundle_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(default_bundle_path(), bundle)
    model = bundle / "model.fp32.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    done = run("stream", "--device", "demo", "--model", str(bundle))
    assert done.returncode == 4
    assert "model.fp32.onnx" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_says_what_is_there_and_how_to_get_the_rest() -> None:
    done = run("doctor", "--json")
    assert done.returncode == 0, done.stderr
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert "CPUExecutionProvider" in findings["ONNX Runtime"]["state"]
    assert findings["Python"]["found"]
    assert all(f["remedy"] for f in findings.values() if f["state"] == "missing")


def test_devices_are_listed_or_said_to_be_missing() -> None:
    done = run("devices")
    assert done.returncode == 0, done.stderr
    assert done.stdout or "no video device" in done.stderr
