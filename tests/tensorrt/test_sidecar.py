"""Which engine fits which machine, in words that a person can act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fetalclip_edge.bundle.manifest import Precision
from fetalclip_edge.errors import BundleError
from fetalclip_edge.tensorrt.sidecar import MAX_SIDECAR_BYTES, Sidecar, mismatch, read_sidecar
from fetalclip_edge.tensorrt.target import Target

ORIN = Target(gpu_name="Orin", compute_capability="8.7", tensorrt="10.3.0", cuda="12.6")


def sidecar(target: Target = ORIN, *flags: str, **changes: Any) -> Sidecar:
    fields: dict[str, Any] = {
        "engine": "a.engine",
        "engine_sha256": "0" * 64,
        "engine_bytes": 1,
        "onnx_sha256": "1" * 64,
        "precision": Precision.FP16,
        "target": target,
        "flags": ("STRONGLY_TYPED", *flags),
        "workspace_mb": 64,
        "build_seconds": 1.5,
        "built_by": "0",
    }
    return Sidecar(**{**fields, **changes})


def here(**changes: str | None) -> Target:
    return ORIN.model_copy(update=changes)


@pytest.mark.parametrize(
    ("flags", "machine", "words"),
    [
        ((), here(), None),
        ((), here(driver="540.4.0", cuda="12.9", l4t="36.4.0", power_mode="MAXN"), None),
        (
            (),
            here(compute_capability="8.6", tensorrt="10.16.1.11"),
            "built for SM 8.7 / TensorRT 10.3.0; this machine has SM 8.6 / TensorRT 10.16.1.11",
        ),
        ((), here(gpu_name="RTX A2000"), "built for Orin; this machine has RTX A2000"),
        ((), here(tensorrt=None), "built for TensorRT 10.3.0; this machine has TensorRT unknown"),
        (("VERSION_COMPATIBLE",), here(tensorrt="10.16.1.11"), None),
        (
            ("VERSION_COMPATIBLE",),
            here(tensorrt="10.2.9"),
            "built for TensorRT 10.3.0; this machine has TensorRT 10.2.9",
        ),
        (
            ("VERSION_COMPATIBLE",),
            here(tensorrt="11.4.0.106"),
            "built for TensorRT 10.3.0; this machine has TensorRT 11.4.0.106",
        ),
        (
            ("VERSION_COMPATIBLE",),
            here(compute_capability="8.6"),
            "built for SM 8.7; this machine has SM 8.6",
        ),
    ],
)
def test_mismatch(flags: tuple[str, ...], machine: Target, words: str | None) -> None:
    assert mismatch(sidecar(ORIN, *flags), machine) == words


def test_what_is_unknown_on_both_sides_is_no_match() -> None:
    nothing = Target()
    words = mismatch(sidecar(nothing), nothing)
    assert words is not None
    assert "SM unknown" in words


def test_a_sidecar_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    written = sidecar(here(driver="540.4.0"))
    path.write_text(written.model_dump_json(indent=2))
    assert read_sidecar(path) == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file"),
        ("", "the file: Invalid JSON"),
        (sidecar().model_dump_json().replace("a.engine", "../a.engine"), "engine: String should"),
        (sidecar().model_dump_json().replace('"engine_bytes":1', '"engine_bytes":"1"'), "integer"),
        (sidecar().model_dump_json()[:-1] + ', "more": 1}', "more: Extra inputs"),
        (" " * (MAX_SIDECAR_BYTES + 1), f"more than {MAX_SIDECAR_BYTES} bytes"),
    ],
)
def test_a_bad_sidecar(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BundleError) as caught:
        read_sidecar(path)
    assert words in str(caught.value)
    assert str(caught.value).endswith("Run: fetalclip-edge build")
