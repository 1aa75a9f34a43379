"""The command line: one app, errors as one line, exit codes by kind of error."""

from __future__ import annotations

import sys

import typer

from fetalclip_edge import __version__
from fetalclip_edge.cli.bench import bench
from fetalclip_edge.cli.build import build
from fetalclip_edge.cli.collect import collect
from fetalclip_edge.cli.doctor import devices, doctor
from fetalclip_edge.cli.inspect import inspect
from fetalclip_edge.cli.predict import predict
from fetalclip_edge.cli.stages import add_stages
from fetalclip_edge.cli.stream import stream
from fetalclip_edge.cli.verify import verify
from fetalclip_edge.errors import EdgeError, MissingPackageError

INTERRUPTED = 130
RUNTIME_PACKAGES = ("cv2", "onnxruntime")
"""Modules that an extra brings; a base install has none of them."""

app = typer.Typer(
    name="fetalclip-edge",
    help="Fetal ultrasound models on the cart, from frame to millimetres. Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(stream)
app.command()(predict)
app.command()(inspect)
app.command()(collect)
app.command()(build)
app.command()(verify)
app.command()(bench)
app.command()(doctor)
app.command()(devices)
add_stages(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show a traceback with an error."),
) -> None:
    """Fetal ultrasound models on the cart, from frame to millimetres. Research use only."""


def main() -> None:
    """Runs the command line and exits; an error is one line unless ``--debug`` is given."""
    try:
        app()
    except EdgeError as error:
        if "--debug" in sys.argv:
            raise
        typer.echo(f"fetalclip-edge: {error}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if "--debug" in sys.argv or error.name not in RUNTIME_PACKAGES:
            raise
        missing = MissingPackageError(
            "fetalclip-edge",
            expected=f"the module {error.name}",
            arrived="none",
            remedy="pip install 'fetalclip-edge[cpu]', or [jetson6] on a Jetson with JetPack's cv2",
        )
        typer.echo(str(missing), err=True)
        sys.exit(missing.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
