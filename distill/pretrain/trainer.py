"""open_clip's own trainer, called as its command line would be, with the network off.

Ilharco et al., OpenCLIP, 2021. It shards over the processes that torchrun starts, and goes on
from the last whole epoch when it is called again.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from open_clip_train import data as open_clip_data
from open_clip_train import main as open_clip_main

from distill.data.shards import Shards
from distill.pretrain.models import PretrainRecipe
from fetalclip_edge.errors import EnvironmentFault, UsageError

_NAME = "open_clip"
_LOSS = re.compile(r"Train Epoch: .* Loss: (\S+) \(")
_MOST_WORKERS = 8


def world_size() -> int:
    """Returns how many processes torchrun started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Returns whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def train(model: str, shards: Shards, recipe: PretrainRecipe, run: Path) -> Path:
    """Trains a registered model and returns its last checkpoint, a torch file.

    Args:
        model: name under which the config is registered.
        shards: checked shards.
        recipe: how it is trained.
        run: folder of the run.

    Raises:
        UsageError: there are fewer shards than processes, or fewer pairs than a step takes.
        EnvironmentFault: several processes without a GPU, or the trainer broke off.
    """
    processes, pairs = world_size(), shards.index.pairs
    if processes > 1 and not torch.cuda.is_available():
        raise EnvironmentFault(
            "pre-training in several processes",
            expected="a GPU for each",
            arrived="no GPU",
            remedy="Call it without torchrun: one process uses all cores of a CPU",
        )
    if len(shards.paths) < processes or pairs < recipe.batch * processes:
        raise UsageError(
            f"shards {shards.folder}",
            expected=f"{processes} shards and {recipe.batch * processes} pairs, or more",
            arrived=f"{len(shards.paths)} shards and {pairs} pairs",
            remedy="Give a smaller --batch, or write smaller shards",
        )
    try:
        with _adapted():
            open_clip_main.main(_arguments(model, shards, recipe, run))
    except (OSError, RuntimeError) as error:
        raise EnvironmentFault(
            "open_clip's trainer broke off",
            arrived=str(error).split("\n")[0] or type(error).__name__,
            remedy=f"See {log_path(run)}; called again, the run goes on from its last whole epoch",
        ) from error
    return run / _NAME / "checkpoints" / "epoch_latest.pt"


def log_path(run: Path) -> Path:
    """Returns where the trainer writes its log."""
    return run / _NAME / "out.log"


def losses(run: Path) -> list[float]:
    """Returns the contrastive losses that the log of a run holds, in order."""
    return [float(found[1]) for found in map(_LOSS.search, _lines(log_path(run))) if found]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []


def _arguments(model: str, shards: Shards, recipe: PretrainRecipe, run: Path) -> list[str]:
    processes, pairs = world_size(), shards.index.pairs
    steps = recipe.epochs * math.ceil(pairs / (recipe.batch * processes))
    options: dict[str, Any] = {
        "model": model,
        "train-data": "::".join(str(path) for path in shards.paths),
        "train-num-samples": pairs,
        "dataset-type": "webdataset",
        "epochs": recipe.epochs,
        "batch-size": recipe.batch,
        "lr": recipe.lr,
        "wd": recipe.weight_decay,
        "beta1": 0.9,
        "beta2": 0.98,
        "eps": 1e-6,
        "warmup": round(recipe.warmup_share * steps),
        "grad-clip-norm": 1.0,
        "precision": "amp_bf16",
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "workers": _workers(len(shards.paths) // processes),
        "seed": recipe.seed,
        "logs": run,
        "name": _NAME,
        "resume": "latest",
        "save-frequency": 0,
        "log-every-n-steps": 10,
        "report-to": "tensorboard",
    }
    switches = ["--save-most-recent"]
    if processes > 1:  # each GPU computes its own rows of the logits alone
        switches += ["--local-loss", "--gather-with-grad"]
    return [text for key, value in options.items() for text in (f"--{key}", str(value))] + switches


def _workers(most: int) -> int:
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, min(_MOST_WORKERS, most, (os.cpu_count() or 1) // (2 * processes)))


@contextmanager
def _adapted() -> Iterator[None]:
    """Lends open_clip's trainer two things for which it has no switch.

    Models in channels-last order: a step of the small one takes 1.4 times as long without it on a
    CPU with AMX. And webdataset's empty marks at the end of each tar, which are newer than the
    reader that open_clip brings, are kept from it.
    """
    make, expand = open_clip_main.create_model_and_transforms, open_clip_data.tar_file_expander

    def make_channels_last(*args: Any, **options: Any) -> Sequence[Any]:  # noqa: ANN401
        model, *transforms = make(*args, **options)
        return model.to(memory_format=torch.channels_last), *transforms

    def files_alone(*args: Any, **options: Any) -> Iterator[Any]:  # noqa: ANN401
        return (file for file in expand(*args, **options) if file)

    open_clip_main.create_model_and_transforms = make_channels_last
    open_clip_data.tar_file_expander = files_alone
    try:
        yield
    finally:
        open_clip_main.create_model_and_transforms = make
        open_clip_data.tar_file_expander = expand
