"""Checkpoints: all that a killed run needs to go on exactly, and the weights that are kept.

A checkpoint is written beside the old one and then swapped, so that there is always a whole one.
"""

from __future__ import annotations

import io
import random
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from distill.record_file import write_bytes
from distill.score import Scores
from fetalclip_edge.errors import InputError

LAST_NAME = "last.pt"


@dataclass(slots=True)
class Position:
    """How far a run is.

    Attributes:
        epoch: the epoch that goes on.
        batch: its batches that are done.
        step: optimizer steps since the beginning.
        sums: sum of each loss over the batches of this epoch.
        best: validation scores of the weights that are kept, or None.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    best: Scores | None = None


def save_weights(path: Path, student: nn.Module) -> None:
    """Writes a student's weights; `SinkError` leaves the old file as it was."""
    save_tensors(path, {"student": student.state_dict()})


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """Returns what `save_weights` wrote; `InputError` where it cannot be read."""
    weights: dict[str, torch.Tensor] = _read(path)["student"]
    return weights


def save_run(
    path: Path,
    position: Position,
    student: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Writes the whole state of a run; `SinkError` leaves the old file as it was."""
    state = {
        "position": {**asdict(position), "best": None},
        "best": None if position.best is None else asdict(position.best),
        "student": student.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": _random_state(),
    }
    save_tensors(path, state)


def load_run(
    path: Path,
    student: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Position:
    """Puts the state of a run back, that of the random generators too.

    Returns:
        Where the run goes on.

    Raises:
        InputError: the file cannot be read, or is another student's.
    """
    state = _read(path)
    try:
        student.load_state_dict(state["student"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        _set_random_state(state["random"])
        position = Position(**state["position"])
        position.best = None if state["best"] is None else Scores(**state["best"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _unusable(path, str(error).splitlines()[0]) from None
    return position


def _random_state() -> dict[str, Any]:
    numpy_state = np.random.get_state(legacy=False)  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        # tensors and numbers alone, which load without unpickling anything else
        "numpy": (
            torch.from_numpy(numpy_state["state"]["key"].astype(np.int64)),
            numpy_state["state"]["pos"],
            numpy_state["has_gauss"],
            numpy_state["gauss"],
        ),
        "python": random.getstate(),
    }


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    keys, place, has_gauss, gauss = state["numpy"]
    keys = keys.numpy().astype(np.uint32)
    np.random.set_state(("MT19937", keys, place, has_gauss, gauss))  # noqa: NPY002
    random.setstate(state["python"])


def save_tensors(path: Path, state: dict[str, Any]) -> None:
    """Writes tensors, numbers and names; `SinkError` leaves the old file as it was."""
    stream = io.BytesIO()
    torch.save(state, stream)
    write_bytes(path, stream.getvalue())


def _read(path: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _unusable(path, str(error).splitlines()[0][:120]) from None
    return state


def _unusable(path: Path, arrived: str) -> InputError:
    return InputError(
        f"checkpoint {path}",
        expected="one written by this run",
        arrived=arrived,
        remedy="Restore it from a copy, or begin the run in another folder",
    )
