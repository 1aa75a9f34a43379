"""Runs the teacher once over every view of every frame; a killed run goes on where it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from distill.data.sample import Sample
from distill.teacher.teacher import Teacher


def build_store(
    teacher: Teacher,
    samples: Sequence[Sample],
    folder: Path,
    *,
    views: int,
    seed: int,
    rank: int = 0,
    world: int = 1,
) -> None:
    """Writes the shards of this rank, and the store's record once all shards stand."""
    raise NotImplementedError
