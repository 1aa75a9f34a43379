"""A text tower of random vectors, and the config of a real but tiny open_clip model."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from tests.bundle.builder import DIM

CONFIG: dict[str, Any] = {
    "embed_dim": DIM,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


class RandomTower:
    """Gives every prompt its own direction, the same in every process."""

    logit_scale = 50.0
    name = "random"
    licence = "CC0-1.0"
    stand_in = True
    space = "tiny-space"
    prompt_size_px = 224

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Returns float32 (N, DIM), L2-normalised."""
        self.asked += prompts
        rows = [np.random.default_rng(zlib.crc32(p.encode())).normal(size=DIM) for p in prompts]
        return F.normalize(torch.tensor(np.array(rows), dtype=torch.float32), dim=-1)
