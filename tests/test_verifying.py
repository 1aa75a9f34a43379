"""`verify`: each thing that can be wrong with a bundle is a failed check with its reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fetalclip_edge.bundle.load import Bundle, default_bundle_path
from fetalclip_edge.bundle.manifest import Manifest, Precision, Provenance
from fetalclip_edge.bundle.write import write_bundle
from fetalclip_edge.cli.app import app
from fetalclip_edge.errors import CheckFailedError, UsageError
from fetalclip_edge.verifying import Verdict, check_verification, verify_bundle
from tests.bundle.builder import tiny_onnx
from tests.conformance.cart_bundle import DATA, cart_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return cart_bundle(tmp_path / "bundle")


def rewritten(bundle: Bundle, **changes: Any) -> Path:
    manifest = bundle.manifest.model_copy(update=changes)
    files: dict[str, Any] = {
        name: (bundle.folder / name).read_bytes() for name in manifest.digests()
    }
    write_bundle(bundle.folder, Manifest.model_validate(manifest.model_dump()), files)
    return bundle.folder


def verdicts(folder: Path) -> dict[str, Verdict]:
    return {check.what: check.verdict for check in verify_bundle(folder).checks}


def reasons(folder: Path) -> str:
    with pytest.raises(CheckFailedError) as caught:
        check_verification(verify_bundle(folder))
    return str(caught.value)


def test_a_right_bundle(bundle: Bundle) -> None:
    found = verify_bundle(bundle.folder)
    check_verification(found)
    assert found.digest == bundle.digest
    assert verdicts(bundle.folder) == {
        "hashes": Verdict.PASSED,
        "lineage": Verdict.PASSED,
        "licence": Verdict.PASSED,
        "gate figures of onnxruntime fp32": Verdict.PASSED,
        "golden frames, onnxruntime fp32": Verdict.PASSED,
        "golden frames, tensorrt fp32": Verdict.NOT_RUN,
    }


def provenance(bundle: Bundle, **changes: Any) -> Provenance:
    return bundle.manifest.provenance.model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": ()}, "lineage: missing: data"),
        ({"recipe_sha256": "0" * 64}, "recipe_sha256"),
        ({"teacher": "FetalCLIP"}, "teacher_licence"),
        (
            {"data": (DATA.model_copy(update={"trained_on": (), "licence": ""}),)},
            "data none: licence, data none: trained_on",
        ),
        (
            {"teacher": "FetalCLIP", "teacher_licence": "CC BY-NC 4.0"},
            "weights under CC0-1.0 descend from a teacher under CC BY-NC 4.0",
        ),
    ],
)
def test_a_gap_in_the_chain(bundle: Bundle, changes: dict[str, Any], words: str) -> None:
    folder = rewritten(bundle, provenance=provenance(bundle, **changes))
    assert words in reasons(folder)


def test_a_non_commercial_licence_is_told(bundle: Bundle) -> None:
    changed = provenance(bundle, teacher="FetalCLIP", teacher_licence="CC BY-NC 4.0")
    folder = rewritten(bundle, provenance=changed, weights_licence="CC BY-NC 4.0")
    (licence,) = [c for c in verify_bundle(folder).checks if c.what == "licence"]
    assert licence.verdict is Verdict.PASSED
    assert "not for commercial use" in licence.detail


def test_int8_without_its_gate(tmp_path: Path) -> None:
    folder = cart_bundle(tmp_path / "b", extra={Precision.INT8: tiny_onnx()}).folder
    said = reasons(folder)
    assert "gate figures of tensorrt int8: none in the manifest" in said
    assert "lineage: missing: calibration_set_sha256" in said


def test_golden_frames_that_drift(bundle: Bundle) -> None:
    golden = bundle.manifest.golden
    frame = golden.frames[0].model_copy(update={"plane_scores": (0.0, 1.0) + (0.0,) * 4})
    folder = rewritten(bundle, golden=golden.model_copy(update={"frames": (frame,)}))
    assert "golden frames, onnxruntime fp32: self-test failed on 1 of 1" in reasons(folder)


def test_a_tampered_file_and_a_missing_bundle(bundle: Bundle, tmp_path: Path) -> None:
    path = bundle.folder / bundle.manifest.files[0].path
    path.write_bytes(path.read_bytes()[:-1])
    assert "is truncated" in reasons(bundle.folder)
    assert "nothing there" in reasons(tmp_path / "nowhere")
    with pytest.raises(UsageError):
        verify_bundle(bundle.folder, expect_digest="short")


def test_the_command(bundle: Bundle, tmp_path: Path) -> None:
    runner = CliRunner()
    good = runner.invoke(app, ["verify", "--json"])
    assert good.exit_code == 0, good.output
    found = json.loads(good.stdout)
    assert found["passed"]
    assert {check["verdict"] for check in found["checks"]} <= {"passed", "not run"}
    copied = tmp_path / "copy"
    shutil.copytree(default_bundle_path(), copied)
    (copied / "manifest.json").write_text("{}")
    bad = runner.invoke(app, ["verify", str(copied), "--json"])
    assert isinstance(bad.exception, CheckFailedError)
    assert bad.exception.exit_code == 5
    assert json.loads(bad.stdout)["passed"] is False
