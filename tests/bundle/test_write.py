"""A bundle appears whole or not at all, and an old one stays until the new one is proven."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from fetalclip_edge.bundle import write
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import Backend, Manifest, Precision
from fetalclip_edge.bundle.schema import SCHEMA_PATH, schema_text
from fetalclip_edge.bundle.write import file_entry, manifest_json, write_bundle
from fetalclip_edge.errors import BundleError, UsageError
from tests.bundle.builder import FAKE_MODEL, MODEL_PATH, tiny_bundle, tiny_files, tiny_manifest


def test_round_trip_and_canonical_form(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "new" / "tiny")
    raw = (bundle.folder / "manifest.json").read_bytes()
    assert raw == manifest_json(bundle.manifest)
    assert raw.endswith(b"}\n")
    assert raw.startswith(b'{\n  "schema_version": 1,\n  "name": "tiny"')
    assert Manifest.model_validate_json(raw) == bundle.manifest
    assert load_bundle(bundle.folder) == bundle
    assert bundle.folder.stat().st_mode & 0o700 == 0o700


def test_readable_for_others_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert tiny_bundle(tmp_path / "tiny").folder.stat().st_mode & 0o777 == 0o755
    finally:
        os.umask(before)


def test_file_entry_of_bytes_and_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(FAKE_MODEL)
    for data in (FAKE_MODEL, tmp_path / "model"):
        entry = file_entry(MODEL_PATH, Backend.ONNXRUNTIME, Precision.FP32, 18, data)
        assert entry.bytes == len(FAKE_MODEL)
        assert entry.sha256 == hashlib.sha256(FAKE_MODEL).hexdigest()


def test_files_by_path(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(FAKE_MODEL)
    files = tiny_files()
    entry = file_entry(MODEL_PATH, Backend.ONNXRUNTIME, Precision.FP32, 18, FAKE_MODEL)
    bundle = write_bundle(
        tmp_path / "tiny", tiny_manifest(files, entry), {**files, MODEL_PATH: tmp_path / "model"}
    )
    assert (bundle.folder / MODEL_PATH).read_bytes() == FAKE_MODEL


@pytest.mark.parametrize("can_exchange", [True, False])
def test_replaces_an_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(write, "_exchange", lambda first, second: False)
    old = tiny_bundle(tmp_path / "tiny")
    (old.folder / "leftover").touch()
    new = tiny_bundle(tmp_path / "tiny", b"another model")
    assert new.digest != old.digest
    assert load_bundle(old.folder).digest == new.digest
    assert not (old.folder / "leftover").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_link_to_a_bundle_stays_a_link(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "tiny")
    (tmp_path / "current").symlink_to("tiny")
    new = tiny_bundle(tmp_path / "current", b"another model")
    assert (tmp_path / "current").is_symlink()
    assert load_bundle(tmp_path / "tiny") == new


def test_wrong_contents_leave_the_old_bundle(tmp_path: Path) -> None:
    old = tiny_bundle(tmp_path / "tiny")
    with pytest.raises(BundleError, match="altered or damaged"):
        write_bundle(old.folder, old.manifest, tiny_files(FAKE_MODEL[::-1]))
    assert load_bundle(old.folder) == old
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_failed_swap_leaves_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_exchange: bool
) -> None:
    old = tiny_bundle(tmp_path / "tiny")
    rename = Path.rename

    def fails_for_the_new_one(self: Path, target: Path) -> Path:
        if target == old.folder and not self.name.endswith(".old"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    def cannot(first: Path, second: Path) -> bool:
        if can_exchange:
            raise OSError(28, "No space left on device")
        return False

    monkeypatch.setattr(write, "_exchange", cannot)
    monkeypatch.setattr(Path, "rename", fails_for_the_new_one)
    with pytest.raises(BundleError, match=r"No space left on device.*Check free space"):
        tiny_bundle(old.folder, b"another model")
    assert load_bundle(old.folder) == old
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    old = tiny_bundle(tmp_path / "tiny")
    files = tiny_files()
    del files[MODEL_PATH]
    with pytest.raises(BundleError, match=r"missing \['model-fp32.onnx'\], not named \['x'\]"):
        write_bundle(tmp_path / "other", old.manifest, {**files, "x": b""})
    assert not (tmp_path / "other").exists()


def test_never_replaces_what_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").touch()
    (tmp_path / "file").touch()
    for name in ("home", "file"):
        with pytest.raises(UsageError, match="expected a new or empty folder, or a bundle"):
            tiny_bundle(tmp_path / name)
    assert (tmp_path / "home" / "thesis.txt").exists()
    (tmp_path / "empty").mkdir()
    tiny_bundle(tmp_path / "empty")


def test_published_schema_is_that_of_the_model() -> None:
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(), (
        "run: python -m fetalclip_edge.bundle.schema > fetalclip_edge/bundle/manifest.schema.json"
    )
