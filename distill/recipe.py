"""The recipe of a run: one TOML file, checked whole before anything begins.

What stands here decides what is learnt. Where files lie does not, so that two machines with the
same recipe have the same `sha256`.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from distill.model import PRESETS
from fetalclip_edge.bundle.fields import Name
from fetalclip_edge.errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover  (the standard library reads TOML from 3.11 on)
    import tomli as tomllib

RECIPES = Path(__file__).parent / "recipes"
DEFAULT_RECIPE = RECIPES / "default.toml"

_MAX_BYTES = 2**20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Schedule(_Part):
    """A number that moves from `start` to `end` over the training; a plain number stays."""

    shape: Literal["linear", "cosine"] = "linear"
    start: float
    end: float

    def at(self, progress: float) -> float:
        """Returns its value; `progress` is the share of the steps that are done, in [0, 1]."""
        if self.shape == "cosine":
            progress = 0.5 * (1.0 - math.cos(math.pi * progress))
        return self.start + (self.end - self.start) * progress


def _constant(value: object) -> object:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"start": value, "end": value}
    return value


Scheduled = Annotated[Schedule, BeforeValidator(_constant)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Trained(str, Enum):
    """Which weights move."""

    ALL = "all"
    HEADS = "heads"


class StudentPart(_Part):
    """The student, and which of its weights move.

    Without `embedding_dim` it is the teacher's width, or 256 where there is no teacher. For the
    first `early_share` of the epochs frames have the side `early_size_px`, to save time
    (progressive resizing as in Tan & Le, EfficientNetV2, ICML 2021). `trained = "heads"` keeps
    encoder and embedding as they are in the run that `--start-from` names.
    """

    preset: str
    embedding_dim: Annotated[int, Field(ge=1, le=4096)] | None = None
    decoder_width: Annotated[int, Field(ge=1, le=1024)] = 32
    structures: Annotated[tuple[Name, ...], Field(min_length=1)] = ("head",)
    size_px: Annotated[int, Field(ge=32, le=1024, multiple_of=32)] = 256
    early_size_px: Annotated[int, Field(ge=32, le=1024, multiple_of=32)] = 160
    early_share: Share = 0.5
    trained: Trained = Trained.ALL

    @model_validator(mode="after")
    def _known(self) -> StudentPart:
        if self.preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}")
        return self


class DataPart(_Part):
    """Which data sets, below the folder that `--data` names; "own" is a user's (`data.folder`)."""

    names: Annotated[tuple[Literal["hc18", "planes", "own"], ...], Field(min_length=1)] = (
        "hc18",
        "planes",
    )


class LabelsPart(_Part):
    """Share of the training frames of each data set whose labels may be used.

    Whole groups (patients, blocks) keep or lose their labels. With one seed a smaller share is
    part of a larger one.
    """

    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    seed: Annotated[int, Field(ge=0)] = 0


class TeacherPart(_Part):
    """What a teacher store made for this recipe holds; unused without a teacher."""

    views: Annotated[int, Field(ge=1, le=1000)] = 5
    seed: Annotated[int, Field(ge=0)] = 0


class TrainingPart(_Part):
    """The loop.

    `batch` is the frames of one forward pass over all processes together, so that the same
    recipe is the same run on one device and on several. `accumulation` passes make one step.
    """

    epochs: Count = 60
    batch: Annotated[int, Field(ge=2)] = 16
    accumulation: Count = 1
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed"
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    clip_norm: Positive = 5.0
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_steps: Count = 500


class OptimizerPart(_Part):
    """AdamW; its rate rises over `warmup_epochs` and then falls by a cosine to `floor` of it."""

    lr: Positive = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    betas: tuple[Share, Share] = (0.9, 0.999)
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    floor: Share = 0.01


class MaskLoss(_Part):
    """`mask_loss`: Dice plus binary cross-entropy."""

    weight: Scheduled


class PlaneLoss(_Part):
    """`plane_loss`: cross-entropy."""

    weight: Scheduled
    smoothing: Share = 0.05


class FeatureLoss(_Part):
    """`feature_loss`."""

    weight: Scheduled


class RelationalLoss(_Part):
    """`relational_loss`."""

    weight: Scheduled
    temperature: Positive = 0.07


class InteractiveLoss(_Part):
    """`interactive_loss`."""

    weight: Scheduled
    temperature: Positive = 0.07


class BankLoss(_Part):
    """`bank_loss`; the bank is the file that `--bank` names."""

    weight: Scheduled
    temperature: Positive = 0.01


class ClipLoss(_Part):
    """`clip_loss` over cosines divided by `temperature`."""

    weight: Scheduled
    temperature: Positive = 0.01


class RepulsiveLoss(_Part):
    """`repulsive_loss`; `off_diagonal` is the weight of its off-diagonal part."""

    weight: Scheduled
    temperature: Positive = 0.01
    tau: Positive = 5.0
    off_diagonal: Scheduled = Schedule(start=2.0, end=-0.8)


class LossesPart(_Part):
    """The losses that are mixed; one that is not named is not computed."""

    mask: MaskLoss | None = None
    plane: PlaneLoss | None = None
    feature: FeatureLoss | None = None
    relational: RelationalLoss | None = None
    interactive: InteractiveLoss | None = None
    bank: BankLoss | None = None
    clip: ClipLoss | None = None
    repulsive: RepulsiveLoss | None = None

    @property
    def need_teacher(self) -> bool:
        """Whether any of them compares with the teacher."""
        parts = (
            self.feature,
            self.relational,
            self.interactive,
            self.bank,
            self.clip,
            self.repulsive,
        )
        return any(part is not None for part in parts)

    @model_validator(mode="after")
    def _some(self) -> LossesPart:
        if not (self.need_teacher or self.mask or self.plane):
            raise ValueError("a recipe needs at least one loss")
        return self


class Recipe(_Part):
    """Everything that decides what a run learns, but for the frames themselves."""

    schema_version: Literal[1]
    student: StudentPart
    data: DataPart = DataPart()
    labels: LabelsPart = LabelsPart()
    teacher: TeacherPart = TeacherPart()
    training: TrainingPart = TrainingPart()
    optimizer: OptimizerPart = OptimizerPart()
    losses: LossesPart

    @property
    def sha256(self) -> str:
        """Digest of the recipe with all its defaults, however its file was written."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def load_recipe(path: Path, overrides: dict[str, dict[str, Any]] | None = None) -> Recipe:
    """Returns the recipe in a TOML file.

    Args:
        path: the file.
        overrides: section -> key -> value, put over the file's own before it is checked.

    Raises:
        InputError: it cannot be read, is no TOML, or has an unknown key or a wrong value.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        fields = tomllib.loads(raw.decode())
    except (OSError, ValueError) as error:  # a TOMLDecodeError is a ValueError
        arrived = getattr(error, "strerror", None) or str(error)
        raise InputError(f"recipe {path}", expected="a TOML file", arrived=arrived) from None
    for section, values in (overrides or {}).items():
        part = fields.setdefault(section, {})
        if isinstance(part, dict):
            part.update(values)
    try:
        # strict, and by way of JSON, where lists are tuples and strings are enums
        return Recipe.model_validate_json(json.dumps(fields, default=str), strict=True)
    except ValidationError as error:
        raise _wrong(path, error) from None


def _wrong(path: Path, error: ValidationError) -> InputError:
    first, count = error.errors(include_url=False)[0], error.error_count()
    key = ".".join(map(str, first["loc"]))
    more = f" (and {count - 1} more)" if count > 1 else ""
    if first["type"] == "extra_forbidden":
        expected, arrived = "a key that recipes know", f"unknown key {key!r}{more}"
    else:
        expected = first["msg"][:1].lower() + first["msg"][1:]
        arrived = f"{first['input']!r}"[:60] + more
    return InputError(
        f"recipe {path}: {key}" if key else f"recipe {path}",
        expected=expected,
        arrived=arrived,
        remedy=f"{DEFAULT_RECIPE.name} and distil.toml in distill/recipes/ show every section",
    )
