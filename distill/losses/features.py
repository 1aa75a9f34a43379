"""Losses that bring the student's embeddings to the teacher's.

Yang et al., CLIP-KD: An Empirical Study of CLIP Model Distillation, CVPR 2024 (arXiv 2307.12732).
Embeddings are float (B, D) and L2-normalised; the student has the teacher's width, so that no
linear map is needed between them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def feature_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Feature distillation: the mean over B and D of the squared difference.

    For unit vectors it is 2 (1 - cosine) / D, so its usual weight is large (2000 in CLIP-KD).

    Args:
        student: (B, D).
        teacher: (B, D), of the same view of the same frame.
    """
    return F.mse_loss(student, teacher)


def relational_loss(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Contrastive-relational distillation: whom a frame resembles in the batch, and how much.

    KL(teacher || student) between the softmaxes of each frame's cosines to the other frames of
    the batch. CLIP-KD compares images with texts; here both sides are images, so a frame's
    cosine with itself, which is always 1, is left out.

    Args:
        student: (B, D), B >= 2.
        teacher: (B, D).
        temperature: divides the cosines of both.
    """
    return F.kl_div(
        _neighbours(student, temperature),
        _neighbours(teacher, temperature),
        reduction="batchmean",
        log_target=True,
    )


def _neighbours(embedding: Tensor, temperature: float) -> Tensor:
    """Returns log-probabilities (B, B - 1) over the other frames of the batch."""
    count = len(embedding)
    others = ~torch.eye(count, dtype=torch.bool, device=embedding.device)
    cosines = (embedding @ embedding.T)[others].reshape(count, count - 1)
    return F.log_softmax(cosines / temperature, dim=1)


def interactive_loss(student: Tensor, anchors: Tensor, temperature: float) -> Tensor:
    """Interactive contrastive learning: the student's image finds its own anchor in the batch.

    InfoNCE in both directions, averaged. The anchors of CLIP-KD are the teacher's embeddings of
    the texts; where frames have no text they are the teacher's embeddings of the frames
    themselves.

    Args:
        student: (B, D).
        anchors: (B, D), frozen.
        temperature: divides the cosines.
    """
    logits = student @ anchors.T / temperature  # (B, B)
    own = torch.arange(len(student), device=student.device)
    return 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own))
