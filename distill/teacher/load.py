"""Where a teacher comes from: the published FetalCLIP, or a folder with a manifest."""

from __future__ import annotations

from pathlib import Path

import torch

from distill.teacher.teacher import Teacher


def load_teacher(
    where: str,
    weights: Path | None = None,
    *,
    sha256: str | None = None,
    device: torch.device | None = None,
) -> Teacher:
    """Returns a frozen teacher.

    Args:
        where: "fetalclip", or a folder that holds `teacher.json` and its weights.
        weights: local file of FetalCLIP's weights; None for a folder.
        sha256: digest the weights must have; None is the published one, or the manifest's.
        device: where it runs; None is a GPU where there is one, else the CPU.
    """
    raise NotImplementedError
