"""A tiny teacher of open_clip's ViT layout: 32-pixel frames, embeddings of 16 numbers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from distill.teacher.architecture import build_model
from distill.teacher.load import load_teacher
from distill.teacher.manifest import OpenClipConfig, TeacherManifest
from distill.teacher.teacher import Teacher

TEXT: dict[str, Any] = {
    "context_length": 117,
    "vocab_size": 49408,
    "width": 32,
    "heads": 2,
    "layers": 1,
}
TINY = OpenClipConfig(
    embed_dim=16,
    vision_cfg={"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    text_cfg=TEXT,
)
TINY_TIMM = OpenClipConfig(
    embed_dim=16,
    vision_cfg={"image_size": 32, "timm_model_name": "resnet10t", "timm_pool": "avg"},
    text_cfg=TEXT,
    custom_text=True,
)


def sha256_of_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tiny_state(config: OpenClipConfig = TINY, seed: int = 0) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_model(config).state_dict()


def tiny_manifest(folder: Path, weights: str, config: OpenClipConfig = TINY) -> TeacherManifest:
    """Writes `teacher.json` for weights that lie in `folder` already."""
    manifest = TeacherManifest(
        schema_version=1,
        name="tiny",
        licence="CC0-1.0",
        stand_in=True,
        stand_in_note="random weights, for tests",
        model=config,
        weights=weights,
        sha256=sha256_of_file(folder / weights),
        data=(),
        trained_on=(),
    )
    manifest.save(folder)
    return manifest


def tiny_folder(folder: Path, config: OpenClipConfig = TINY, seed: int = 0) -> Path:
    """Writes a whole teacher folder and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tiny_state(config, seed), folder / "model.safetensors")
    tiny_manifest(folder, "model.safetensors", config)
    return folder


def tiny_teacher(folder: Path, seed: int = 0) -> Teacher:
    return load_teacher(str(tiny_folder(folder, seed=seed)), device=torch.device("cpu"))
