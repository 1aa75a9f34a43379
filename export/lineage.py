"""What a bundle inherits from its teacher: a name, a licence, and a space of embeddings."""

from __future__ import annotations

import re

from distill.run_record import RunRecord
from distill.teacher.manifest import TeacherRecord
from fetalclip_edge.bundle.manifest import EmbeddingSpace

OWN_LICENCE = "Apache-2.0"
_RESTRICTED = re.compile(r"\bNC\b|non-?commercial|research[- ]only", re.IGNORECASE)


def teacher_name(teacher: TeacherRecord | None) -> str | None:
    """Returns the teacher's name, with the word stand-in where it is one."""
    if teacher is None:
        return None
    return f"{teacher.name} (stand-in)" if teacher.stand_in else teacher.name


def weights_licence(teacher: TeacherRecord | None) -> str:
    """Returns the licence of a student's weights.

    Weights distilled from a teacher whose licence allows no commercial use carry that licence
    on: whether they must is for lawyers, and until then a cart should be told.
    """
    if teacher is not None and _RESTRICTED.search(teacher.licence):
        return teacher.licence
    return OWN_LICENCE


def embedding_space(record: RunRecord, version: str) -> EmbeddingSpace:
    """Returns where the student's embeddings live: in its teacher's space, or in its own."""
    if record.teacher is not None and record.in_teacher_space:
        return EmbeddingSpace(name=record.teacher.space, dim=record.embedding_dim)
    name = f"supervised-{record.spec.preset}-{version}"
    return EmbeddingSpace(name=name, dim=record.embedding_dim)
