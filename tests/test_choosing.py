"""Which backend and precision is chosen, as a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from fetalclip_edge import choosing
from fetalclip_edge.bundle.manifest import Backend, FileEntry, Manifest, Precision
from fetalclip_edge.choosing import choose
from fetalclip_edge.errors import ProviderError
from tests.bundle.builder import tiny_bundle

TRT, ORT = Backend.TENSORRT, Backend.ONNXRUNTIME
FP32, FP16, INT8 = Precision.FP32, Precision.FP16, Precision.INT8
Key = tuple[Backend, Precision]
ALL: tuple[Key, ...] = ((ORT, FP32), (ORT, INT8), (TRT, FP16), (TRT, INT8))
NOT_PROVEN = "the bundle holds no gate figures for it"


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return tiny_bundle(tmp_path / "bundle").manifest


def with_files(manifest: Manifest, keys: tuple[Key, ...]) -> Manifest:
    (first,) = manifest.files
    files = tuple(
        first.model_copy(update={"backend": backend, "precision": precision})
        for backend, precision in keys
    )
    return manifest.model_copy(update={"files": files})


@pytest.mark.parametrize(
    ("files", "proven", "blocked", "asked", "chosen", "passed_over"),
    [
        # auto: the fastest that is proven and at hand
        (ALL, ALL, (), (None, None), (TRT, INT8), ()),
        (ALL, ((ORT, INT8), (TRT, FP16)), (), (None, None), (TRT, FP16), (NOT_PROVEN,)),
        (ALL, (), (), (None, None), (TRT, FP32), (NOT_PROVEN, NOT_PROVEN)),
        (ALL, ALL, (TRT,), (None, None), (ORT, INT8), ("blocked",) * 3),
        (
            ALL,
            (),
            (TRT,),
            (None, None),
            (ORT, FP32),
            (NOT_PROVEN, NOT_PROVEN, "blocked", NOT_PROVEN),
        ),
        (((ORT, FP32),), (), (TRT,), (None, None), (ORT, FP32), ("blocked",)),
        # one of the two asked for: the other is chosen within it
        (ALL, ALL, (), (ORT, None), (ORT, INT8), ()),
        (ALL, (), (), (ORT, None), (ORT, FP32), (NOT_PROVEN,)),
        (ALL, (), (), (None, INT8), (TRT, INT8), ()),
        (ALL, (), (TRT,), (None, INT8), (ORT, INT8), ("blocked",)),
        (ALL, ALL, (TRT,), (None, FP32), (ORT, FP32), ("blocked",)),
        # both asked for: taken at its word
        (ALL, (), (TRT,), (TRT, INT8), (TRT, INT8), ()),
        (((ORT, FP32),), (), (), (ORT, FP16), (ORT, FP16), ()),
    ],
)
def test_choice(
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
    files: tuple[Key, ...],
    proven: tuple[Key, ...],
    blocked: tuple[Backend, ...],
    asked: tuple[Backend | None, Precision | None],
    chosen: Key,
    passed_over: tuple[str, ...],
) -> None:
    def has_figures(entry: FileEntry) -> bool:
        return (entry.backend, entry.precision) in proven

    monkeypatch.setattr(choosing, "has_gate_figures", has_figures)
    found = choose(
        with_files(manifest, files),
        lambda backend, _: "blocked" if backend in blocked else None,
        backend=asked[0],
        precision=asked[1],
    )
    assert (found.backend, found.precision) == chosen
    assert tuple(text.split(": ")[1] for text in found.passed_over) == passed_over


def test_nothing_left_says_why(manifest: Manifest) -> None:
    with pytest.raises(ProviderError) as caught:
        choose(with_files(manifest, ALL), lambda *_: "blocked", precision=INT8)
    assert "any backend in int8, got tensorrt int8: blocked; onnxruntime int8: blocked" in str(
        caught.value
    )


def test_a_choice_says_what_it_passed_over(manifest: Manifest) -> None:
    found = choose(manifest, lambda b, _: "no engine was built" if b is TRT else None)
    assert str(found) == "onnxruntime fp32; not tensorrt fp32: no engine was built"
