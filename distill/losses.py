"""Losses of the supervised part; a frame without a label for a task adds nothing to its loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice per image and channel, averaged: 1 - 2|AB| / (|A| + |B|).

    Milletari et al., V-Net, 3DV 2016, with plain instead of squared sums.

    Args:
        logits: (B, M, S, S).
        target: (B, M, S, S) in [0, 1].
    """
    p = torch.sigmoid(logits)
    overlap = (p * target).sum(dim=(2, 3))
    total = p.sum(dim=(2, 3)) + target.sum(dim=(2, 3))
    return (1.0 - (2.0 * overlap + 1.0) / (total + 1.0)).mean()


def mask_loss(logits: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """Dice plus binary cross-entropy over the masks that are labelled.

    Args:
        logits: (B, M, S, S).
        target: (B, M, S, S) in [0, 1].
        labelled: bool (B, M), for each frame and structure; an unlabelled mask is not background.
    """
    if not bool(labelled.any()):
        return logits.sum() * 0.0
    logits, target = logits[labelled][:, None], target[labelled][:, None]  # (K, 1, S, S)
    return dice_loss(logits, target) + F.binary_cross_entropy_with_logits(logits, target)


def plane_loss(logits: Tensor, plane: Tensor, smoothing: float = 0.05) -> Tensor:
    """Cross-entropy with label smoothing; planes of -1 are not labelled.

    Args:
        logits: (B, P).
        plane: int64 (B,), class index or -1.
        smoothing: label smoothing (Szegedy et al., CVPR 2016).
    """
    if not bool((plane >= 0).any()):
        return logits.sum() * 0.0
    return F.cross_entropy(logits, plane, ignore_index=-1, label_smoothing=smoothing)
