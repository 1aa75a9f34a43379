"""Where a run computes: Lightning Fabric, set up from what torchrun says.

One process without torchrun takes the GPU where there is one, else the CPU. Under torchrun every
process takes one device, on one node or several.
"""

from __future__ import annotations

import logging
import os

import torch
from lightning_fabric import Fabric
from torch import Tensor

from distill.objective import Gather


def make_fabric(precision: str) -> Fabric:
    """Returns a launched Fabric.

    Args:
        precision: "bf16-mixed" or "32-true".
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    world = int(os.environ.get("WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator="cuda" if torch.cuda.is_available() else "cpu",
        devices=local,
        num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto",
        precision=precision,  # type: ignore[arg-type]  # Fabric lists every precision by name
    )
    fabric.launch()
    return fabric


def gather_from(fabric: Fabric) -> Gather:
    """Returns the gather of a Fabric; the identity on one process."""

    def gather(value: Tensor) -> Tensor:
        if fabric.world_size == 1:
            return value
        everyone = fabric.all_gather(value, sync_grads=value.is_floating_point())  # (W, B, ...)
        if not isinstance(everyone, Tensor):
            raise TypeError("a gathered tensor is a tensor")
        return everyone.flatten(0, 1)

    return gather


def loader_workers(fabric: Fabric) -> int:
    """Returns how many processes prepare frames for this one; the draws do not depend on it."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(8, (os.cpu_count() or 1) // local - 1))
