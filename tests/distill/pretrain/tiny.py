"""A tiny image-text model through the real trainer: ``python -m tests.distill.pretrain.tiny``.

In a process of its own, since the trainer takes over the root logger and forks its readers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from distill.pretrain.models import PretrainRecipe
from distill.pretrain.run import Identity, pretrain
from distill.teacher.manifest import OpenClipConfig
from fetalclip_edge.errors import EdgeError

TINY = OpenClipConfig(
    embed_dim=8,
    vision_cfg={"timm_model_name": "test_resnet", "image_size": 32},
    text_cfg={"context_length": 64, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
)
IDENTITY = Identity("stand-in-tiny", "Apache-2.0", "A tiny model of a test.")


def main(shards: Path, run: Path, lr: float) -> int:
    """Trains for two steps; returns the exit code."""
    torch.set_num_threads(1)
    recipe = PretrainRecipe(epochs=2, batch=8, lr=lr, weight_decay=0.1)
    try:
        pretrain(TINY, IDENTITY, recipe, shards, run)
    except EdgeError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))
