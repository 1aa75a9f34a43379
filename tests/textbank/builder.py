"""Small banks, and the tiny bundle with banks in it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, Precision
from fetalclip_edge.bundle.write import file_entry, write_bundle
from fetalclip_edge.textbank.entry import DayGrid, GestationalAgeBank, PlaneBank, SpacingGrid
from fetalclip_edge.textbank.file import bank_bytes
from tests.bundle.builder import DIM, FAKE_MODEL, MODEL_PATH, tiny_files, tiny_manifest

Bank = tuple[PlaneBank | GestationalAgeBank, bytes]
DAYS = DayGrid(first_ga_days=140, count=15)
SPACINGS = SpacingGrid(first_mm=0.55, step_mm=0.01, count=4)


def unit_rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _lineage(data: bytes) -> dict[str, Any]:
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "embedding_space": "tiny-space",
        "teacher": "nobody",
        "teacher_licence": "CC0-1.0",
        "stand_in": True,
        "prompts_sha256": "0" * 64,
        "prompts_licence": "Apache-2.0",
    }


def plane_bank(data: bytes | None = None, **changes: Any) -> tuple[PlaneBank, bytes]:
    """Returns a bank of brain, heart and kidney; `data` replaces its file."""
    data = bank_bytes(unit_rows(3)) if data is None else data
    fields: dict[str, Any] = {
        "name": "words",
        "path": "text_banks/words.npy",
        **_lineage(data),
        "classes": ("brain", "heart", "kidney"),
        "logit_scale": 100.0,
    }
    return PlaneBank(**{**fields, **changes}), data


def age_bank(data: bytes | None = None, **changes: Any) -> tuple[GestationalAgeBank, bytes]:
    """Returns a bank of 15 days and four spacings; `data` replaces its file."""
    data = bank_bytes(unit_rows(SPACINGS.count * DAYS.count)) if data is None else data
    fields: dict[str, Any] = {
        "name": "ages",
        "path": "text_banks/ages.npy",
        **_lineage(data),
        "valid_planes": ("brain",),
        "days": DAYS,
        "spacings": SPACINGS,
        "prompt_size_px": 224,
    }
    return GestationalAgeBank(**{**fields, **changes}), data


def bundle_with(folder: Path, *banks: Bank, **changes: Any) -> Bundle:
    """Writes the tiny bundle with these banks."""
    files = tiny_files()
    model = file_entry(MODEL_PATH, Backend.ONNXRUNTIME, Precision.FP32, 18, FAKE_MODEL)
    changes["text_banks"] = tuple(entry for entry, _ in banks)
    manifest = tiny_manifest(files, model, **changes)
    return write_bundle(folder, manifest, {**files, **{e.path: data for e, data in banks}})
