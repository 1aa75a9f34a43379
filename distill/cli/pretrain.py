"""`fetalclip-edge pretrain`: image-text shards to a teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from distill.pretrain.models import RECIPES, ModelName, model_config
from distill.pretrain.run import Identity, pretrain
from distill.pretrain.trainer import is_first_process, losses

IDENTITIES = {
    ModelName.SMALL: Identity(
        name="stand-in-resnet34-192",
        licence="Apache-2.0",
        stand_in_note="A ResNet-34 trained from scratch on few frames, in FetalCLIP's place; "
        "it says nothing about how well FetalCLIP does.",
    ),
    ModelName.FETALCLIP: Identity(
        name="vit-l-14-pretrained-here", licence="Apache-2.0", stand_in_note=""
    ),
}


def command(
    shards: Annotated[Path, typer.Option(help="Folder written by `fetalclip-edge shards`.")],
    run: Annotated[Path, typer.Option(help="Folder of the run; an unfinished one goes on.")],
    model: Annotated[
        ModelName,
        typer.Option(help="small: a stand-in for two CPU cores; fetalclip: ViT-L/14, for GPUs."),
    ] = ModelName.SMALL,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="Pairs a step, on each process.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Of the weights, as far as your data let you choose.")
    ] = None,
) -> None:
    """Train an image-text model and write it as a teacher; several GPUs by torchrun."""
    base = RECIPES[model]
    recipe = replace(
        base,
        epochs=base.epochs if epochs is None else epochs,
        batch=base.batch if batch is None else batch,
        lr=base.lr if lr is None else lr,
    )
    identity = IDENTITIES[model]
    if licence is not None:
        identity = replace(identity, licence=licence)
    teacher = pretrain(model_config(model), identity, recipe, shards, run)
    if is_first_process():
        curve = losses(run)
        typer.echo(f"contrastive loss {curve[0]:.3f} at first, {curve[-1]:.3f} at last")
        typer.echo(f"teacher {identity.name}: {teacher}")
