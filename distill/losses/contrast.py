"""Contrastive losses on the N x N logits between images and anchors (texts, where there are any).

The anchors are the teacher's and frozen: the student has no text tower.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def clip_loss(logits: Tensor) -> Tensor:
    """The symmetric cross-entropy of CLIP (Radford et al., ICML 2021).

    Args:
        logits: (N, N), scaled cosines; row i is image i, column i its own anchor.
    """
    own = torch.arange(len(logits), device=logits.device)
    return 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own))


def repulsive_loss(student: Tensor, teacher: Tensor, beta: float, tau: float = 5.0) -> Tensor:
    """Selective repulsive distillation: L_diag + beta * L_off.

    The soft cross-entropy -sum_j p_ij log q_ij / N, split into its diagonal, which always
    attracts, and the rest, which repels once `beta` is below zero: the student is then driven
    away from the teacher's confusions. Both directions are averaged. Only the teacher's logits
    are divided by `tau`. MobileFetalCLIP, arXiv 2603.05421, where `beta` falls linearly
    from 2.0 to -0.8 over the training; the recipe holds that schedule.

    Args:
        student: (N, N), scaled cosines.
        teacher: (N, N), scaled cosines.
        beta: weight of the off-diagonal part.
        tau: temperature of the teacher's logits.
    """
    one_way = _split_cross_entropy(student, teacher / tau, beta)
    other_way = _split_cross_entropy(student.T, teacher.T / tau, beta)
    return 0.5 * (one_way + other_way)


def _split_cross_entropy(student: Tensor, teacher: Tensor, beta: float) -> Tensor:
    terms = -F.softmax(teacher, dim=1) * F.log_softmax(student, dim=1)  # (N, N)
    diagonal = terms.diagonal().sum()
    return (diagonal + beta * (terms.sum() - diagonal)) / len(terms)
