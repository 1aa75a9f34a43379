"""Frames on disk, and a tiny teacher that counts what it is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from distill.data.sample import Sample, Split
from distill.store.build import Built, build_store
from distill.teacher.teacher import Teacher
from tests.distill.teacher.builder import tiny_teacher

VIEWS = 3
SHARD = 4


def write_frames(folder: Path, count: int) -> list[Sample]:
    """Writes frames that all differ, and returns their samples."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for number in range(count):
        grain = np.random.default_rng(number).integers(0, 256, (6, 8), np.uint8)
        image = cv2.resize(grain, (60, 44), interpolation=cv2.INTER_LINEAR)
        path = folder / f"{number:03d}.png"
        cv2.imwrite(str(path), image)
        samples.append(Sample(path, "made", f"group {number}", Split.TRAIN))
    return samples


class CountedTeacher(Teacher):
    """A real teacher that counts the views it embeds."""

    seen = 0

    def embed_inputs(self, inputs: Tensor) -> Tensor:
        self.seen += len(inputs)
        return super().embed_inputs(inputs)


def counted_teacher(folder: Path, seed: int = 0) -> CountedTeacher:
    teacher = tiny_teacher(folder, seed)
    teacher.__class__ = CountedTeacher
    assert isinstance(teacher, CountedTeacher)
    return teacher


def build(teacher: Teacher, samples: list[Sample], folder: Path, **changes: int) -> Built:
    options = {"views": VIEWS, "seed": 7, "frames_per_shard": SHARD, **changes}
    return build_store(teacher, samples, folder, **options)  # type: ignore[arg-type]


if __name__ == "__main__":  # the process that is killed: root, number of frames
    root, frames = Path(sys.argv[1]), int(sys.argv[2])
    build(tiny_teacher(root / "teacher"), write_frames(root / "frames", frames), root / "store")
