"""What a training run was: written when it begins, read by whoever takes up its checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from distill.model import StudentSpec
from distill.recipe import Recipe
from distill.record_file import read_record, write_record
from distill.teacher.manifest import TeacherRecord
from fetalclip_edge.bundle.fields import Sha256
from fetalclip_edge.errors import InputError, SinkError, UsageError

RECORD_NAME = "run.json"
CHECKPOINT_NAME = "best.pt"
_MAX_BYTES = 2**20


class RunRecord(BaseModel):
    """A run's recipe and lineage.

    Attributes:
        schema_version: of this record.
        recipe: how it is trained.
        recipe_sha256: digest of the recipe.
        embedding_dim: width of the student's embedding.
        teacher: whose knowledge the weights descend from, by way of another run too; or None.
        in_teacher_space: whether the student's embeddings live in that teacher's space.
        split_sha256: digest of the run's table of frames.
        bank_sha256: digest of the text bank, or None.
        start_sha256: digest of the weights it began from, or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    recipe: Recipe
    recipe_sha256: Sha256
    embedding_dim: Annotated[int, Field(ge=1)]
    teacher: TeacherRecord | None
    in_teacher_space: bool
    split_sha256: Sha256
    bank_sha256: Sha256 | None = None
    start_sha256: Sha256 | None = None

    @property
    def spec(self) -> StudentSpec:
        """The student."""
        part = self.recipe.student
        return StudentSpec(
            part.preset,
            structures=len(part.structures),
            embedding_dim=self.embedding_dim,
            decoder_width=part.decoder_width,
        )

    def save(self, folder: Path) -> None:
        """Writes the record into a run's folder, or checks that it is the one there already.

        Raises:
            UsageError: the folder holds a run of something else.
            SinkError: it cannot be written.
        """
        path = folder / RECORD_NAME
        if path.is_file():
            there = RunRecord.load(folder)
            if there != self:
                other = _first_difference(there.model_dump(), self.model_dump())
                raise UsageError(
                    f"--run {folder}",
                    expected="a new folder, or the recipe and data that the run was begun with",
                    arrived=f"another {other}",
                    remedy=f"See {path}, or give another folder",
                )
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"--run {folder}", arrived=error.strerror or "an error") from None
        write_record(path, self)

    @classmethod
    def load(cls, folder: Path) -> RunRecord:
        """Returns the record of a run.

        Raises:
            InputError: there is none, or its recipe was edited.
        """
        path = folder / RECORD_NAME
        remedy = "A run's folder is written by `fetalclip-edge distill`"
        record = read_record(path, cls, max_bytes=_MAX_BYTES, remedy=remedy)
        if record.recipe.sha256 != record.recipe_sha256:
            raise InputError(
                f"{path}: recipe",
                expected=f"sha256 {record.recipe_sha256}",
                arrived=record.recipe.sha256,
                remedy="It was edited after the run began; begin another run",
            )
        return record


def _first_difference(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> str:
    """Returns the dotted name of the first field that differs."""
    for key, value in one.items():
        if value != other.get(key):
            if isinstance(value, dict) and isinstance(other.get(key), dict):
                return _first_difference(value, other[key], f"{prefix}{key}.")
            return prefix + key
    return prefix.rstrip(".")
