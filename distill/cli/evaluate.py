"""`fetalclip-edge evaluate`: a bundle and labelled frames to figures and a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from distill.data.sample import Sample
from distill.data.standard import load_standard
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.heads import head_outcomes
from distill.evaluation.pictures import (
    confused_planes,
    head_picture,
    median_heads,
    plane_picture,
    worst_heads,
)
from distill.evaluation.report import Pictures, make_page
from distill.evaluation.run import Evaluated, has_plane, run_evaluation
from distill.evaluation.summary import main_rows
from distill.evaluation.teacher import read_store
from fetalclip_edge.cli.console import progress_console
from fetalclip_edge.cli.options import AUTO, PRECISION_HELP, parse_precision_or_auto
from fetalclip_edge.errors import SinkError
from fetalclip_edge.model import Model
from fetalclip_edge.report.write import write_whole
from fetalclip_edge.session import Session

JSON_NAME = "evaluation.json"
PAGE_NAME = "evaluation.html"
_FILE_WIDTH = 120
"""Columns of the table where stdout is a file: no row is broken."""


def command(
    data: Annotated[Path, typer.Option(help="Folder that holds hc18/ and planes/.")],
    output_dir: Annotated[Path, typer.Option(help=f"Folder for {JSON_NAME} and {PAGE_NAME}.")],
    model: Annotated[
        Path | None, typer.Option(help="Bundle folder. Default: the one shipped in the package.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Teacher store, to measure what is kept of the teacher.")
    ] = None,
    precision: Annotated[str, typer.Option(help=PRECISION_HELP)] = AUTO,
    pictures: Annotated[
        bool, typer.Option(help="Show frames in the page; not where the page leaves the house.")
    ] = True,
) -> None:
    """Measure a bundle on test frames through the cart's own pipeline."""
    console = progress_console()

    def watch(samples: Sequence[Sample], what: str) -> Iterable[Sample]:
        return track(samples, what, console=console, transient=True)

    ask = None if store is None else partial(read_store, store)
    _make_folder(output_dir)
    samples = load_standard(data)
    # one thread adds in one order: two runs then agree to the last digit
    with Model(model, precision=parse_precision_or_auto(precision), threads=1) as loaded:
        done = run_evaluation(loaded, samples, watch, ask)
        shown = _pictures(loaded.session(gate=False), done) if pictures else Pictures()
    page = make_page(done.evaluation, head_outcomes(done.test), shown)
    write_whole(output_dir / JSON_NAME, done.evaluation.json())
    page.write(output_dir / PAGE_NAME)
    _print(done.evaluation)
    console.print(f"written: {output_dir / JSON_NAME}, {output_dir / PAGE_NAME}", soft_wrap=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"--output-dir {folder}", expected="a folder", arrived=error.strerror or "an error"
        ) from None


def _pictures(session: Session, done: Evaluated) -> Pictures:
    heads = head_outcomes(done.test)
    said = [outcome for outcome in done.test if has_plane(outcome.sample)]
    return Pictures(
        worst_heads=tuple(head_picture(session, head) for head in worst_heads(heads)),
        median_heads=tuple(head_picture(session, head) for head in median_heads(heads)),
        confused=tuple(map(plane_picture, confused_planes(said))),
    )


def _print(evaluation: Evaluation) -> None:
    table = Table("test frames", box=None)
    for title in ("value", "95 % interval", "frames", "groups"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in main_rows(evaluation):
        table.add_row(*row.cells)
    console = Console()
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    console.print(table)
