"""The whole of an evaluation, as one typed value and as one JSON file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from distill.evaluation.ages import AgeScores
from distill.evaluation.heads import GateScores, HeadScores, TrimesterScores
from distill.evaluation.planes import PlaneScores
from distill.evaluation.probe import ProbeScores
from distill.evaluation.retention import Retention
from distill.evaluation.shortcut import ShortcutScores
from fetalclip_edge.errors import InputError

SCHEMA_ID: Literal["fetalclip-edge/evaluation/1"] = "fetalclip-edge/evaluation/1"


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """Which bundle was measured, and what its weights descend from."""

    name: str
    version: str
    digest: str
    precision: str
    parameters: int
    weights_licence: str
    teacher: str | None
    teacher_licence: str | None


@dataclass(frozen=True, slots=True)
class DataPart:
    """One split of one data set: its frames, and the groups of frames that belong together."""

    data_set: str
    split: str
    frames: int
    groups: int


@dataclass(frozen=True, slots=True)
class Version:
    """Version of a package that took part."""

    package: str
    version: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures on test frames; nothing was chosen on them. None or empty where data are missing.

    Attributes:
        schema_id: of this form.
        bundle: what was measured.
        data: every split that was used.
        versions: of what did the work.
        heads: outlines and HC, gate off.
        trimesters: the same by trimester of the true HC.
        gate: what the bundle's gate withholds and lets through.
        planes: each classification over planes: the trained head, then text banks.
        shortcut: what the form of the files alone tells of the plane.
        probe: linear probe of the embeddings.
        retention: the student against its teacher.
        ages: each way of dating.
    """

    schema_id: Literal["fetalclip-edge/evaluation/1"]
    bundle: BundleFacts
    data: tuple[DataPart, ...]
    versions: tuple[Version, ...]
    heads: HeadScores | None
    trimesters: tuple[TrimesterScores, ...]
    gate: GateScores
    planes: tuple[PlaneScores, ...]
    shortcut: ShortcutScores | None
    probe: ProbeScores | None
    retention: Retention | None
    ages: tuple[AgeScores, ...]

    def json(self) -> str:
        """Returns the JSON, indent 2, with a trailing newline."""
        return _ADAPTER.dump_json(self, indent=2).decode("utf-8") + "\n"

    @classmethod
    def from_json(cls, text: str) -> Evaluation:
        """Returns the evaluation that `json` wrote; `InputError` where it is something else."""
        try:
            return _ADAPTER.validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the whole"
            raise InputError(
                "evaluation", expected=f"the form {SCHEMA_ID}", arrived=f"{place}: {first['msg']}"
            ) from None


_ADAPTER = TypeAdapter(Evaluation)
