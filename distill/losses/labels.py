"""Losses of the labelled heads; a frame without a label for a task adds nothing to its loss."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def dice_losses(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice of each image and channel: 1 - 2|AB| / (|A| + |B|), float (B, M).

    Milletari et al., V-Net, 3DV 2016, with plain instead of squared sums.

    Args:
        logits: (B, M, S, S).
        target: (B, M, S, S) in [0, 1].
    """
    p = torch.sigmoid(logits)
    overlap = (p * target).sum(dim=(2, 3))
    total = p.sum(dim=(2, 3)) + target.sum(dim=(2, 3))
    return 1.0 - (2.0 * overlap + 1.0) / (total + 1.0)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Soft Dice averaged over images and channels; see `dice_losses`."""
    return dice_losses(logits, target).mean()


def bce_losses(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy of each image and channel, averaged over its pixels, float (B, M).

    Args:
        logits: (B, M, S, S).
        target: (B, M, S, S) in [0, 1].
    """
    pixels = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return pixels.mean(dim=(2, 3))


def mask_losses(logits: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """Dice plus binary cross-entropy of each image and channel, float (B, M), unaveraged.

    They are averaged later, by `labelled_mean`, over the frames of every process together.

    Args:
        logits: (B, M, S, S).
        target: (B, M, S, S) in [0, 1].
        labelled: bool (B,), or (B, M) where the structures of a frame are labelled one by one;
            what is not labelled is 0 here and gives no gradient.
    """
    pairs = each_structure(labelled, logits.shape[1])
    rows = pairs.any(dim=1)
    losses = logits.new_zeros(logits.shape[:2])
    losses[rows] = dice_losses(logits[rows], target[rows]) + bce_losses(logits[rows], target[rows])
    return torch.where(pairs, losses, 0.0)


def each_structure(labelled: Tensor, structures: int) -> Tensor:
    """Returns bool (B, M) from bool (B,) or (B, M)."""
    return labelled if labelled.ndim == 2 else labelled[:, None].expand(-1, structures)


def labelled_mean(losses: Tensor, labelled: Tensor) -> Tensor:
    """Returns the mean of (B, M) losses over what is labelled; 0 where nothing is.

    Args:
        losses: (B, M); 0 where not labelled.
        labelled: bool (B,) or (B, M).
    """
    return losses.sum() / each_structure(labelled, losses.shape[1]).sum().clamp(min=1)


def mask_loss(logits: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """Dice plus binary cross-entropy over what carries a mask.

    Args:
        logits: (B, M, S, S).
        target: (B, M, S, S) in [0, 1].
        labelled: bool (B,) or (B, M); an unlabelled mask is not background.
    """
    return labelled_mean(mask_losses(logits, target, labelled), labelled)


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
