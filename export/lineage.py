"""What a bundle inherits: of its data the credits, of its teacher name, licence and embeddings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from distill.run_record import RunRecord
from distill.teacher.manifest import TeacherRecord
from fetalclip_edge.bundle.manifest import DataSource, EmbeddingSpace

OWN_LICENCE = "Apache-2.0"
NOT_STATED = "not stated"
_CREDITS = {
    "HC18": "T. L. A. van den Heuvel et al., PLoS ONE 13(8): e0200412, 2018; "
    "DOI 10.5281/zenodo.1327317",
    "FETAL_PLANES_DB": "X. P. Burgos-Artizzu et al., Sci Rep 10, 10200, 2020; "
    "DOI 10.5281/zenodo.3904280",
}
_SPLITS = {
    "HC18": "blocks of 20 file numbers: of six blocks four train, one validates, one tests",
    "FETAL_PLANES_DB": "official split by patient; every seventh training patient validates",
}
_OWN_SPLIT = "by the table of the data set, else four of six groups train, by a hash of the group"
_RESTRICTED = re.compile(r"\bNC\b|non-?commercial|research[- ]only", re.IGNORECASE)


def teacher_name(teacher: TeacherRecord | None) -> str | None:
    """Returns the teacher's name, with the word stand-in where it is one."""
    if teacher is None:
        return None
    return f"{teacher.name} (stand-in)" if teacher.stand_in else teacher.name


def data_source(name: str, trained_on: Sequence[str]) -> DataSource:
    """Returns what a manifest says of a data set; of a user's own frames only their owner knows.

    Args:
        name: of the data set.
        trained_on: names of its training frames.
    """
    public = name in _CREDITS
    return DataSource(
        name=name,
        licence="CC BY 4.0" if public else NOT_STATED,
        credit=_CREDITS.get(name, NOT_STATED),
        frames=len(trained_on),
        split=_SPLITS.get(name, _OWN_SPLIT),
        trained_on=tuple(trained_on),
    )


def weights_licence(teacher: TeacherRecord | None, data: Sequence[DataSource]) -> str:
    """Returns the licence of a student's weights.

    Where the rights in the frames are not known, neither are those in the weights. Weights
    distilled from a teacher whose licence allows no commercial use carry that licence
    on: whether they must is for lawyers, and until then a cart should be told.
    """
    if teacher is not None and _RESTRICTED.search(teacher.licence):
        return teacher.licence
    return NOT_STATED if any(d.licence == NOT_STATED for d in data) else OWN_LICENCE


def embedding_space(record: RunRecord, version: str) -> EmbeddingSpace:
    """Returns where the student's embeddings live: in its teacher's space, or in its own."""
    if record.teacher is not None and record.in_teacher_space:
        return EmbeddingSpace(name=record.teacher.space, dim=record.embedding_dim)
    name = f"supervised-{record.spec.preset}-{version}"
    return EmbeddingSpace(name=name, dim=record.embedding_dim)
