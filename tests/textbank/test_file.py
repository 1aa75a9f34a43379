"""A bank that is not what its entry says is refused before anything is compared with it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.errors import BundleError
from fetalclip_edge.textbank.entry import MAX_BANK_BYTES
from fetalclip_edge.textbank.file import bank_bytes
from tests.bundle.builder import DIM, tiny_bundle
from tests.textbank.builder import age_bank, bundle_with, plane_bank, unit_rows


def saved(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def with_value(value: float) -> bytes:
    rows = unit_rows(3)
    rows[1, 2] = value
    return bank_bytes(rows)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    rows = unit_rows(3, seed=7)
    bank = plane_bank(bank_bytes(rows))
    bundle = bundle_with(tmp_path / "b", bank, age_bank())
    read = load_bundle(bundle.folder).text_bank(bank[0])
    np.testing.assert_array_equal(read, rows)
    assert read.dtype == np.float32
    assert read.flags.c_contiguous
    assert not read.flags.writeable
    assert bank[1] == saved(rows)  # any NumPy reads it


def test_both_kinds_are_pinned_by_the_digest(tmp_path: Path) -> None:
    with_banks = bundle_with(tmp_path / "b", plane_bank(), age_bank())
    assert {"text_banks/words.npy", "text_banks/ages.npy"} <= set(with_banks.manifest.digests())
    other = bundle_with(tmp_path / "c", plane_bank(bank_bytes(unit_rows(3, seed=1))), age_bank())
    assert with_banks.digest != other.digest


BAD: list[tuple[bytes, str]] = [
    (with_value(np.nan), "expected finite numbers, got others in row 1"),
    (with_value(np.inf), "expected finite numbers, got others in row 1"),
    (with_value(0.9), "expected vectors of norm 1, got norm"),
    (bank_bytes(np.zeros((3, DIM), np.float32)), "got norm 0 in row 0"),
    (bank_bytes(unit_rows(2)), "expected float32 of shape (3, 8) in C order, got float32 of shape"),
    (bank_bytes(unit_rows(3)[:, :4].copy()), "got float32 of shape (3, 4)"),
    (saved(unit_rows(3).astype(np.float64)), "got float64"),
    (saved(np.asfortranarray(unit_rows(3))), "Fortran"),
    (saved(np.array([{"a": 1}] * 3, object), allow_pickle=True), "got object of shape (3,)"),
    (bank_bytes(unit_rows(3))[:-4], "expected 96 bytes after the header, got 92"),
    (bank_bytes(unit_rows(3)) + b"x", "expected 96 bytes after the header, got 97"),
    (bank_bytes(unit_rows(3))[:40], "expected a .npy file of version 1.0"),
    (b"PK\x03\x04 not an array", "expected a .npy file of version 1.0"),
    (b"x", "expected a .npy file of version 1.0"),
]


@pytest.mark.parametrize(("data", "words"), BAD)
def test_a_bad_bank_is_never_written_nor_loaded(tmp_path: Path, data: bytes, words: str) -> None:
    whole = bundle_with(tmp_path / "b", plane_bank())
    with pytest.raises(BundleError) as caught:
        bundle_with(tmp_path / "b", plane_bank(data))
    message = str(caught.value)
    assert words in message
    assert "fetalclip-edge prompts" in message
    assert "\n" not in message
    assert load_bundle(tmp_path / "b").digest == whole.digest
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_a_header_that_claims_a_terabyte_reserves_nothing(tmp_path: Path) -> None:
    data = bank_bytes(unit_rows(3)).replace(b"(3, 8), }         ", b"(39999999999, 8), }")
    assert b"39999999999" in data
    with pytest.raises(BundleError, match=r"got float32 of shape \(39999999999, 8\)"):
        bundle_with(tmp_path / "b", plane_bank(data))


def test_an_age_is_a_mean_so_its_vectors_are_shorter_than_one(tmp_path: Path) -> None:
    rows = unit_rows(60) * np.float32(0.4)
    assert bundle_with(tmp_path / "b", age_bank(bank_bytes(rows)))
    for factor, norm in ((0.0, "norm 0 in"), (1.1, "norm 1.1 in")):
        data = bank_bytes(unit_rows(60) * np.float32(factor))
        with pytest.raises(BundleError, match=rf"a norm in \(0, 1\], got {norm}"):
            bundle_with(tmp_path / "c", age_bank(data))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda bank: bank.update(embedding_space="moon"), "not 'moon': compile it again with"),
        (lambda bank: bank.update(bytes=MAX_BANK_BYTES + 1), "less than or equal to 268435456"),
        (lambda bank: bank.update(kind="horoscope"), "field text_banks.0: expected input tag"),
        (lambda bank: bank.update(path="../words.npy"), "inside the bundle"),
        (lambda bank: bank.update(name="plane"), "names of heads and text banks must be unique"),
        (lambda bank: bank.update(classes=["brain"]), "at least 2 items"),
        (lambda bank: bank.update(classes=["brain", "heart"]), "of shape (2, 8)"),
        (lambda bank: bank.update(logit_scale=0), "logit_scale"),
    ],
)
def test_a_wrong_entry_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    folder = bundle_with(tmp_path / "b", plane_bank()).folder
    edit(folder, lambda fields: change(fields["text_banks"][0]))
    with pytest.raises(BundleError) as caught:
        load_bundle(folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ages_need_a_plane_of_the_bundle_and_stand_alone(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"unknown planes \['moon'\]"):
        bundle_with(tmp_path / "b", age_bank(valid_planes=("moon",)))
    with pytest.raises(ValidationError, match="one at most, got 2"):
        bundle_with(tmp_path / "b", age_bank(), age_bank(name="more", path="more.npy"))


@pytest.mark.parametrize("harm", ["flip", "cut", "longer", "gone"])
def test_a_bank_harmed_on_disk_is_refused(tmp_path: Path, harm: str) -> None:
    folder = bundle_with(tmp_path / "b", plane_bank()).folder
    path = folder / "text_banks/words.npy"
    data = bytearray(path.read_bytes())
    if harm == "flip":
        data[-1] ^= 1
    path.write_bytes({"cut": data[:-1], "longer": data + b"x"}.get(harm, data))
    if harm == "gone":
        path.unlink()
    words = {
        "flip": "altered or damaged",
        "cut": "is truncated",
        "longer": "is too long",
        "gone": "a file text_banks/words.npy, got none",
    }
    with pytest.raises(BundleError, match=words[harm]):
        load_bundle(folder)


def test_a_bundle_without_banks_is_as_before(tmp_path: Path) -> None:
    folder = tiny_bundle(tmp_path / "b").folder
    edit(folder, lambda fields: fields.pop("text_banks"))
    assert load_bundle(folder).manifest.text_banks == ()
