"""Stage commands: the one file of the cart's package that knows of the stages beside it.

A stage is looked up by name only when its command is called, so that the cart never imports one
and the help stays light. The stages are not in the wheel; they run from a checkout.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import typer

from fetalclip_edge.errors import EnvironmentFault, MissingPackageError

_CHECKOUT = "From a checkout of the project run: pip install -e '.[train]'"


@dataclass(frozen=True, slots=True)
class Stage:
    """A command that a stage brings.

    Attributes:
        name: as it is called on the command line.
        module: where its function `command` is.
        help: one line for the list of commands.
    """

    name: str
    module: str
    help: str


STAGES: tuple[Stage, ...] = (
    Stage("shards", "distill.cli.shards", "Write image-text shards (from a checkout)."),
    Stage("pretrain", "distill.cli.pretrain", "Pre-train a teacher (from a checkout)."),
    Stage("embed", "distill.cli.embed", "Run a teacher once over all frames (from a checkout)."),
    Stage("distill", "distill.cli.distill", "Teach a compact student (from a checkout)."),
    Stage("export", "export.cli.export", "Pack a student into a bundle (from a checkout)."),
    Stage("prompts", "distill.cli.prompts", "Add a text bank to a bundle (from a checkout)."),
    Stage("half", "export.cli.half", "Add a typed fp16 file for TensorRT (from a checkout)."),
    Stage("frames", "distill.cli.frames", "List labelled frames as a table (from a checkout)."),
    Stage("calibrate", "calibration.cli.calibrate", "Quantize to INT8 (from a checkout)."),
    Stage("evaluate", "distill.cli.evaluate", "Measure a bundle on test frames (from a checkout)."),
    Stage("lint", "export.cli.lint", "Check ONNX files for TensorRT (from a checkout)."),
    Stage("encoder", "export.cli.encoder", "Write an encoder alone (from a checkout)."),
)


def add_stages(app: typer.Typer) -> None:
    """Adds a command for each stage, which hands its arguments on unread."""
    for stage in STAGES:
        _add(app, stage)


def _add(app: typer.Typer, stage: Stage) -> None:
    @app.command(
        stage.name,
        help=stage.help,
        add_help_option=False,  # the stage answers --help itself
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def run(context: typer.Context) -> None:
        _load(stage).main(context.args, prog_name=context.command_path, standalone_mode=False)


def _load(stage: Stage) -> Any:  # noqa: ANN401 (a click command; typer vendors click's types)
    room = stage.module.split(".")[0]
    if importlib.util.find_spec(room) is None:
        raise EnvironmentFault(
            f"`fetalclip-edge {stage.name}`",
            expected=f"the project's folder {room}/",
            arrived="the installed package alone",
            remedy=_CHECKOUT,
        )
    try:
        module = importlib.import_module(stage.module)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"`fetalclip-edge {stage.name}`",
            expected="the packages of the extra `train`",
            arrived=f"no {error.name}",
            remedy=_CHECKOUT,
        ) from None
    single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    single.command()(module.command)
    return typer.main.get_command(single)
