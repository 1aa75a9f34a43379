"""`fetalclip-edge distill`: frames, labels and a teacher to a trained student."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from lightning_fabric import Fabric
from rich.console import Console

from distill.data.checks import near_pairs_across_splits, refuse_near_pairs
from distill.data.sample import Sample
from distill.data.standard import load_standard
from distill.devices import make_fabric
from distill.held_out import check_teacher_held_out
from distill.model import PRESETS
from distill.plan import print_plan
from distill.recipe import DEFAULT_RECIPE, RECIPES, Recipe, load_recipe
from distill.run import RunRequest, begin_run, prepare_run
from distill.store.build import build_store
from distill.store.teacher_store import TeacherStore
from distill.teacher.load import load_teacher
from distill.teacher.manifest import TeacherManifest, TeacherRecord
from distill.text_bank import read_text_bank
from distill.train import train
from fetalclip_edge.cli.console import progress_console
from fetalclip_edge.errors import UsageError


@dataclass(frozen=True, slots=True)
class Teaching:
    """Which teacher fills a store.

    Attributes:
        where: "fetalclip" or a folder.
        weights: FetalCLIP's weights, or None.
        sha256: digest that they must have, or None for the published one.
    """

    where: str
    weights: Path | None
    sha256: str | None


def command(
    data: Annotated[Path, typer.Option(help="Folder that holds hc18/ and planes/.")],
    run: Annotated[Path, typer.Option(help="Folder of the run; an unfinished one goes on.")],
    recipe: Annotated[
        Path | None,
        typer.Option(help="TOML file. Default: distil.toml with a teacher, else default.toml."),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Teacher store; made here if --teacher is given.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help='"fetalclip", or a folder that holds teacher.json.')
    ] = None,
    teacher_weights: Annotated[Path | None, typer.Option(help="FetalCLIP's weights.")] = None,
    teacher_sha256: Annotated[str | None, typer.Option(help="Digest they must have.")] = None,
    bank: Annotated[Path | None, typer.Option(help="Text bank for losses.bank, .npy.")] = None,
    start_from: Annotated[
        Path | None, typer.Option(help="A run whose weights are the first of this one.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help=f"Encoder: {', '.join(PRESETS)}.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the run, and of which labels are hidden.")
    ] = None,
    labels: Annotated[
        float | None, typer.Option(help="Share of the frames whose labels may be used.")
    ] = None,
    refuse_near_duplicates: Annotated[
        bool, typer.Option(help="Fail where two parts hold nearly the same picture.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
) -> None:
    """Train a student on a teacher and on labels; what is best on validation is kept."""
    taught = store is not None or teacher is not None
    chosen = recipe or (RECIPES / "distil.toml" if taught else DEFAULT_RECIPE)
    read = load_recipe(chosen, _overrides(preset, epochs, seed, labels))
    fabric = make_fabric(read.training.precision)
    samples = load_standard(data, read.data.names)
    if teacher is not None and dry_run:
        raise UsageError(
            "--dry-run with --teacher",
            expected="a finished --store alone",
            arrived="a teacher, which would have to run first",
            remedy="Drop one of the two",
        )
    if teacher is not None:
        store = store or run / "store"
        _teach(fabric, read, samples, store, Teaching(teacher, teacher_weights, teacher_sha256))
    opened = None if store is None else TeacherStore.open(store)
    if bank is not None and opened is None:
        raise UsageError("--bank", expected="a teacher", arrived="neither --store nor --teacher")
    request = RunRequest(
        run,
        read,
        samples,
        opened,
        None if bank is None or opened is None else read_text_bank(bank, opened.dim),
        start_from,
    )
    ready = prepare_run(fabric, request)
    if dry_run:
        if fabric.is_global_zero:
            print_plan(fabric, ready, Console())
        return
    if fabric.is_global_zero:
        _check_near_duplicates(samples, refuse_near_duplicates)
        begin_run(ready)
        _say_teacher(ready.record.teacher)
    fabric.barrier()
    best = train(fabric, ready)
    if fabric.is_global_zero:
        named = (("head DSC", best.dsc), ("plane F1", best.f1), ("teacher cosine", best.agreement))
        typer.echo(
            "validation: "
            + ", ".join(f"{name} {value:.4f}" for name, value in named if value is not None)
        )


def _check_near_duplicates(samples: list[Sample], refuse: bool) -> None:
    """Names the pairs of nearly equal pictures that stand in two parts; or fails on them."""
    pairs = near_pairs_across_splits(samples)
    for pair in pairs:
        typer.echo(f"nearly the same picture: {pair}", err=True)
    typer.echo(f"near-duplicates across the parts: {len(pairs)}", err=True)
    if refuse:
        refuse_near_pairs(pairs)


def _overrides(
    preset: str | None, epochs: int | None, seed: int | None, labels: float | None
) -> dict[str, dict[str, Any]]:
    """Returns what the command line puts over the recipe: section -> key -> value."""
    given = (
        ("student", "preset", preset),
        ("training", "epochs", epochs),
        ("training", "seed", seed),
        ("labels", "seed", seed),
        ("labels", "share", labels),
    )
    sections: dict[str, dict[str, Any]] = {}
    for section, key, value in given:
        if value is not None:
            sections.setdefault(section, {})[key] = value
    return sections


def _teach(
    fabric: Fabric, recipe: Recipe, samples: list[Sample], store: Path, teaching: Teaching
) -> None:
    """Fills the store with what the teacher says of every frame, as `embed` does."""
    if (folder := Path(teaching.where)).is_dir():
        check_teacher_held_out(TeacherManifest.load(folder), samples)
    build_store(
        load_teacher(teaching.where, teaching.weights, sha256=teaching.sha256),
        samples,
        store,
        views=recipe.teacher.views,
        seed=recipe.teacher.seed,
        rank=fabric.global_rank,
        world=fabric.world_size,
    )
    fabric.barrier()


def _say_teacher(teacher: TeacherRecord | None) -> None:
    if teacher is not None:
        stand_in = " (stand-in)" if teacher.stand_in else ""
        note = (
            f"teacher {teacher.name}{stand_in}, licence {teacher.licence}: the weights inherit it"
        )
        progress_console().print(note)
