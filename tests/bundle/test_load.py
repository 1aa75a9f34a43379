"""Every way in which a bundle can be wrong ends in one line that says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fetalclip_edge.bundle import load
from fetalclip_edge.bundle.load import Bundle, default_bundle_path, load_bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.errors import BundleError, UsageError
from tests.bundle.builder import FRAME_PATH, MASK_PATH, MODEL_PATH, tiny_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return tiny_bundle(tmp_path / "tiny")


def refused(folder: Path, **options: Any) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def edit(bundle: Bundle, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle.folder / "manifest.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


def test_whole(bundle: Bundle) -> None:
    again = load_bundle(bundle.folder, expect_digest=bundle.digest.upper())
    assert again == bundle
    path = again.model_path(Backend.ONNXRUNTIME, Precision.FP32)
    assert path == bundle.folder / MODEL_PATH
    (golden,) = again.golden_frames()
    assert golden.name == FRAME_PATH
    assert golden.frame_path.is_file()
    assert golden.mask_path == bundle.folder / MASK_PATH


def test_no_such_model_lists_what_there_is(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="expected a model file for tensorrt/int8, got files for"):
        bundle.model_path(Backend.TENSORRT, Precision.INT8)


def test_default_lies_inside_the_package() -> None:
    assert default_bundle_path().parts[-3:] == ("fetalclip_edge", "models", "default")


def test_truncated(bundle: Bundle) -> None:
    path = bundle.folder / MODEL_PATH
    path.write_bytes(path.read_bytes()[:-7])
    message = refused(bundle.folder)
    assert f"{MODEL_PATH} is truncated: expected 1020 bytes, got 1013" in message
    assert "Copy or download the bundle again" in message


def test_too_long(bundle: Bundle) -> None:
    with (bundle.folder / MODEL_PATH).open("ab") as stream:
        stream.write(b"x")
    assert "is too long" in refused(bundle.folder)


@pytest.mark.parametrize("name", [MODEL_PATH, FRAME_PATH, MASK_PATH])
def test_one_flipped_byte(bundle: Bundle, name: str) -> None:
    path = bundle.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    message = refused(bundle.folder)
    assert f"{name} is altered or damaged: expected sha256 " in message
    assert "Do not use it" in message


@pytest.mark.parametrize("name", [MODEL_PATH, FRAME_PATH, MASK_PATH, "manifest.json"])
def test_missing_file(bundle: Bundle, name: str) -> None:
    (bundle.folder / name).unlink()
    message = refused(bundle.folder)
    assert f"expected a file {name}, got none. Copy or download" in message


@pytest.mark.parametrize("name", [MODEL_PATH, MASK_PATH, "manifest.json"])
def test_folder_in_place_of_a_file(bundle: Bundle, name: str) -> None:
    (bundle.folder / name).unlink()
    (bundle.folder / name).mkdir()
    assert "expected a file, got a folder. Copy or download" in refused(bundle.folder)


def test_pipe_in_place_of_a_file_does_not_block(bundle: Bundle) -> None:
    (bundle.folder / MODEL_PATH).unlink()
    os.mkfifo(bundle.folder / MODEL_PATH)
    assert "got a device, pipe or socket" in refused(bundle.folder)


def test_symlink_outside(bundle: Bundle, tmp_path: Path) -> None:
    outside = tmp_path / "outside.onnx"
    (bundle.folder / MODEL_PATH).rename(outside)
    (bundle.folder / MODEL_PATH).symlink_to(outside)
    message = refused(bundle.folder)
    assert f"expected a file inside the bundle, got a link to {outside}" in message
    assert "unless you know who made it" in message


def test_symlinked_folder_outside(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.folder / "golden").rename(tmp_path / "golden")
    (bundle.folder / "golden").symlink_to(tmp_path / "golden")
    assert "expected a file inside the bundle" in refused(bundle.folder)


def test_symlink_inside_and_to_the_bundle_are_fine(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.folder / MODEL_PATH).rename(bundle.folder / "real.onnx")
    (bundle.folder / MODEL_PATH).symlink_to("real.onnx")
    (tmp_path / "link").symlink_to(bundle.folder)
    assert load_bundle(tmp_path / "link").digest == bundle.digest


def test_loop_of_links(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.folder / MODEL_PATH).unlink()
    (bundle.folder / MODEL_PATH).symlink_to(MODEL_PATH)
    refused(bundle.folder)
    (tmp_path / "loop").symlink_to("loop")
    refused(tmp_path / "loop")


def test_no_folder(tmp_path: Path) -> None:
    assert "expected a folder, got nothing there. Give the" in refused(tmp_path / "none")
    (tmp_path / "file").touch()
    assert "expected a folder, got a file. Give the" in refused(tmp_path / "file")


@pytest.mark.parametrize(
    ("raw", "got"),
    [
        (b"", "Expecting value at line 1"),
        (b'{"schema_version": 1,', "line 1, column"),
        (b"\xff\xfe{}", "other bytes at 0"),
        (b"[]", "a list"),
        (b'{"schema_version": 1, "gate": NaN}', "the number NaN"),
        (b'{"schema_version": 1, "gate": -Infinity}', "the number -Infinity"),
        (b'{"schema_version": 1, "name": "a", "name": "b"}', "key 'name' twice"),
        (b"[" * 200_000, "recursion"),
    ],
)
def test_bad_json(bundle: Bundle, raw: bytes, got: str) -> None:
    (bundle.folder / "manifest.json").write_bytes(raw)
    message = refused(bundle.folder)
    assert "expected one JSON object in UTF-8, got" in message
    assert got in message
    assert "Copy or download the bundle again" in message


def test_huge_manifest_is_not_parsed(bundle: Bundle) -> None:
    with (bundle.folder / "manifest.json").open("ab") as stream:
        stream.truncate(load.MAX_MANIFEST_BYTES + 1)
    assert "expected at most 16777216 bytes, got 16777217. This is no" in refused(bundle.folder)


def test_huge_golden_frame_is_not_hashed(bundle: Bundle) -> None:
    with (bundle.folder / FRAME_PATH).open("ab") as stream:
        stream.truncate(load.MAX_GOLDEN_BYTES + 1)
    assert "expected a golden frame or mask of at most" in refused(bundle.folder)


def test_newer_schema_asks_for_an_upgrade(bundle: Bundle) -> None:
    # a field of the future must not hide the one message that helps
    edit(bundle, lambda fields: fields.update(schema_version=2, hologram=[]))
    message = refused(bundle.folder)
    assert "expected manifest schema 1, got schema 2" in message
    assert "pip install --upgrade fetalclip-edge" in message


@pytest.mark.parametrize("version", [None, "1", 0, True, 1.0])
def test_unusable_schema_version(bundle: Bundle, version: object) -> None:
    edit(bundle, lambda fields: fields.update(schema_version=version))
    assert "field schema_version: expected a whole number" in refused(bundle.folder)


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "golden//x", "a\\b", ""])
def test_path_outside(bundle: Bundle, path: str) -> None:
    edit(bundle, lambda fields: fields["files"][0].update(path=path))
    message = refused(bundle.folder)
    assert "field files.0.path: expected" in message
    assert "must be relative, with plain names, inside the bundle" in message


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda fields: fields.pop("gate"), "field gate: expected field required"),
        (lambda fields: fields.update(hologram=1), "field hologram"),
        (lambda fields: fields["files"][0].update(bytes="1020"), "field files.0.bytes"),
        (lambda fields: fields["files"][0].update(sha256="A" * 64), "field files.0.sha256"),
        (lambda fields: fields["gate"].update(max_fit_residual=2), "field gate.max_fit_residual"),
        (lambda fields: fields["golden"]["frames"][0]["embedding"].pop(), "embedding has 7"),
        (lambda fields: fields["golden"]["frames"].append({}), "(and "),
        (lambda fields: fields["files"].append(fields["files"][0]), "must be unique"),
        (lambda fields: fields["files"][0].update(path="manifest.json"), "cannot be one of"),
        (lambda fields: fields["heads"][1].update(valid_planes=["moon"]), "unknown planes"),
    ],
)
def test_first_wrong_field_is_named(
    bundle: Bundle, change: Callable[[dict[str, Any]], object], field: str
) -> None:
    edit(bundle, change)
    message = refused(bundle.folder)
    assert field in message
    assert "Export the bundle again" in message
    assert len(message) < 400 + len(str(bundle.folder))


def test_number_that_overflows(bundle: Bundle) -> None:
    path = bundle.folder / "manifest.json"
    path.write_text(path.read_text().replace('"hc_mm_abs_max": 0.5', '"hc_mm_abs_max": 1e999'))
    assert "hc_mm_abs_max: expected input should be a finite number" in refused(bundle.folder)


def test_other_digest(bundle: Bundle) -> None:
    message = refused(bundle.folder, expect_digest="0" * 64)
    assert f"expected {'0' * 64}, got {bundle.digest}. Do not use this bundle" in message


@pytest.mark.parametrize("pinned", ["", "abc", "g" * 64, "0" * 63])
def test_pin_that_is_no_digest(bundle: Bundle, pinned: str) -> None:
    with pytest.raises(UsageError, match="expected 64 hexadecimal digits"):
        load_bundle(bundle.folder, expect_digest=pinned)


@pytest.mark.parametrize("name", ["", "manifest.json", MODEL_PATH])
def test_no_permission(name: str) -> None:
    """In a process of its own: root may read everything, so it becomes nobody first."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from fetalclip_edge.bundle.load import load_bundle, BundleError\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: load_bundle(Path(sys.argv[1]))\n"
        "except BundleError as error: print(error)"
    )
    # not tmp_path, whose parents are closed to nobody
    with tempfile.TemporaryDirectory() as temporary:
        Path(temporary).chmod(0o755)
        folder = tiny_bundle(Path(temporary) / "tiny").folder
        (folder / name).chmod(0o000)
        done = subprocess.run(
            [sys.executable, "-c", code, str(folder)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(load.__file__).parents[2],
        )
        (folder / name).chmod(0o755)
    assert "got Permission denied. Check that it exists" in done.stdout, done.stderr
