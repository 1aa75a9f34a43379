"""Held-out frames are held out from the teacher too."""

from __future__ import annotations

from collections.abc import Sequence

from distill.data.sample import Sample, Split
from distill.teacher.manifest import TeacherManifest
from fetalclip_edge.errors import CheckFailedError


def check_teacher_held_out(teacher: TeacherManifest, samples: Sequence[Sample]) -> None:
    """Raises `CheckFailedError` if a teacher was trained on a validation or test frame."""
    seen = set(teacher.trained_on)
    for sample in samples:
        if sample.split is not Split.TRAIN and sample.image.name in seen:
            raise CheckFailedError(
                f"teacher {teacher.name}",
                expected="one that was trained on none of the frames held out here",
                arrived=f"{sample.image.name}, a {sample.split.value} frame of {sample.data_set}",
                remedy="Pre-train it on the training frames of the same split",
            )
