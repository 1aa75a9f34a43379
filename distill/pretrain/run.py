"""A run of pre-training: checked shards in, a teacher's folder out."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, JsonValue
from safetensors.torch import save
from torch import Tensor

from distill.data.shards import Shards
from distill.pretrain.models import PretrainRecipe, register
from distill.pretrain.trainer import is_first_process, train
from distill.record_file import read_record, write_bytes, write_record
from distill.teacher.manifest import OpenClipConfig, TeacherManifest
from fetalclip_edge.errors import CheckFailedError, InputError, SinkError, UsageError

RECORD_NAME = "pretrain.json"
TEACHER_NAME = "teacher"
_WEIGHTS_NAME = "model.safetensors"
_MAX_RECORD_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Identity:
    """What the teacher will be called.

    Attributes:
        name: its name.
        licence: of its weights.
        stand_in_note: what the stand-in is, or empty where it takes nobody's place.
    """

    name: str
    licence: str
    stand_in_note: str


class _Record(BaseModel):
    """What a run was begun with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: OpenClipConfig
    recipe: dict[str, JsonValue]
    shards_sha256: tuple[str, ...]


def pretrain(
    config: OpenClipConfig, identity: Identity, recipe: PretrainRecipe, folder: Path, run: Path
) -> Path:
    """Checks the shards, trains, and writes `run`/teacher; an unfinished run goes on.

    Args:
        config: the architecture.
        identity: what it will be called.
        recipe: how it is trained.
        folder: of the shards.
        run: of the run.

    Returns:
        The teacher's folder; it holds `teacher.json` and the weights.

    Raises:
        InputError: a shard is damaged, or its captions are meant for another model.
        UsageError: the folder holds a run with other options.
        CheckFailedError: the weights are not finite; no teacher is written.
        EnvironmentFault: the trainer broke off, or a file cannot be written.
    """
    shards = Shards.open(folder)
    size_px = shards.index.prompt_size_px
    if size_px not in (None, config.image_size_px):
        raise InputError(
            f"shards {folder}",
            expected=f"pixel spacings for a model of {config.image_size_px} px",
            arrived=f"those for {size_px} px",
            remedy="Write the shards anew with the --model that is to learn from them",
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"--run {run}", arrived=error.strerror or "an error") from None
    _keep_record(config, recipe, shards, run)
    name = "".join(c if c.isalnum() else "-" for c in identity.name)
    register(config, name, run)
    checkpoint = train(name, shards, recipe, run)
    teacher = run / TEACHER_NAME
    if is_first_process():
        _write_teacher(_weights(checkpoint), config, identity, shards, teacher)
        for duplicate in checkpoint.parent.glob("epoch_[0-9]*.pt"):
            duplicate.unlink()  # the trainer keeps its last epoch twice
    return teacher


def _keep_record(config: OpenClipConfig, recipe: PretrainRecipe, shards: Shards, run: Path) -> None:
    path = run / RECORD_NAME
    digests = tuple(shard.sha256 for shard in shards.index.shards)
    record = _Record(model=config, recipe=asdict(recipe), shards_sha256=digests)
    if path.exists():
        remedy = "Give another folder"
        begun = read_record(path, _Record, max_bytes=_MAX_RECORD_BYTES, remedy=remedy)
        if begun != record:
            raise UsageError(
                f"--run {run}",
                expected="a new folder, or the options and shards that the run was begun with",
                arrived="a run with others",
                remedy=f"See {path}, or give another folder",
            )
    elif is_first_process():
        write_record(path, record)


def _weights(checkpoint: Path) -> dict[str, Tensor]:
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    weights = {
        name.removeprefix("module."): value.contiguous()  # "module." is data-parallel training's
        for name, value in state.items()
    }
    bad = [name for name, value in weights.items() if not bool(torch.isfinite(value).all())]
    if bad:
        raise CheckFailedError(
            f"weights after pre-training ({checkpoint})",
            expected="finite numbers",
            arrived=f"NaN or infinity in {bad[0]} and {len(bad) - 1} more",
            remedy="Train anew in another folder, with a smaller --lr",
        )
    return weights


def _write_teacher(
    weights: dict[str, Tensor],
    config: OpenClipConfig,
    identity: Identity,
    shards: Shards,
    folder: Path,
) -> None:
    data = save(weights)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SinkError(f"teacher {folder}", arrived=error.strerror or "an error") from None
    write_bytes(folder / _WEIGHTS_NAME, data)
    TeacherManifest(
        schema_version=1,
        name=identity.name,
        licence=identity.licence,
        stand_in=bool(identity.stand_in_note),
        stand_in_note=identity.stand_in_note,
        model=config,
        weights=_WEIGHTS_NAME,
        sha256=hashlib.sha256(data).hexdigest(),
        data=shards.index.data,
        trained_on=shards.index.frames,
    ).save(folder)
