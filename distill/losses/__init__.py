"""Losses of distillation and of the labelled heads: one small function each, with its source."""

from distill.losses.bank import bank_loss
from distill.losses.contrast import clip_loss, repulsive_loss
from distill.losses.features import feature_loss, interactive_loss, relational_loss
from distill.losses.labels import (
    dice_loss,
    labelled_mean,
    mask_loss,
    mask_losses,
    plane_loss,
)

__all__ = [
    "bank_loss",
    "clip_loss",
    "dice_loss",
    "feature_loss",
    "interactive_loss",
    "labelled_mean",
    "mask_loss",
    "mask_losses",
    "plane_loss",
    "relational_loss",
    "repulsive_loss",
]
