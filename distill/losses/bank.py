"""Distillation through a bank of text embeddings, the one that the cart will use."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F  # noqa: N812


def bank_loss(student: Tensor, teacher: Tensor, bank: Tensor, temperature: float) -> Tensor:
    """KL(teacher || student) between the softmaxes of the cosines to the bank's prompts.

    Hinton et al., Distilling the Knowledge in a Neural Network, 2015 (arXiv 1503.02531), with
    the prompts as classes. It is not multiplied by the square of the temperature: the
    temperature is the teacher's own scale of logits, not a softening of them.

    Args:
        student: (B, D), L2-normalised.
        teacher: (B, D), L2-normalised.
        bank: (N, D), L2-normalised embeddings of N prompts.
        temperature: divides the cosines of both; 0.01 is CLIP's scale of 100.
    """
    return F.kl_div(
        F.log_softmax(student @ bank.T / temperature, dim=1),
        F.log_softmax(teacher @ bank.T / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
