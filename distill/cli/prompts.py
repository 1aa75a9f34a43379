"""`fetalclip-edge prompts`: a bundle gets words to compare with, and needs no text tower."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from distill.prompts.bank import DAYS, add_age_bank, add_plane_bank, age_bank_bytes, spacing_grid
from distill.prompts.prompt_file import (
    NOT_STATED,
    OWN_AGES,
    OWN_LICENCE,
    OWN_PLANES,
    read_prompts,
)
from distill.teacher.load import load_teacher
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.cli.console import progress_console
from fetalclip_edge.errors import UsageError


class Kind(str, Enum):
    """What a bank is for."""

    PLANE = "plane"
    GESTATIONAL_AGE = "gestational-age"


def command(
    model: Annotated[Path, typer.Option(help="Bundle folder; the bundle is replaced.")],
    teacher: Annotated[str, typer.Option(help='"fetalclip", or a folder that holds teacher.json.')],
    teacher_weights: Annotated[Path | None, typer.Option(help="FetalCLIP's weights.")] = None,
    teacher_sha256: Annotated[str | None, typer.Option(help="Digest they must have.")] = None,
    kind: Annotated[Kind, typer.Option(help="What the bank is for.")] = Kind.PLANE,
    prompts: Annotated[
        Path | None, typer.Option(help="JSON: class name -> prompts. Default: the project's own.")
    ] = None,
    prompts_licence: Annotated[str, typer.Option(help="Licence of that JSON.")] = NOT_STATED,
    spacing_min_mm: Annotated[
        float | None, typer.Option(help="Smallest mm per pixel of the teacher's input.")
    ] = None,
    spacing_max_mm: Annotated[
        float | None, typer.Option(help="Largest mm per pixel of the teacher's input.")
    ] = None,
) -> None:
    """Compile prompts into a bank of the bundle, for zero-shot planes or gestational ages."""
    console = progress_console()
    ages = kind is Kind.GESTATIONAL_AGE
    if prompts is None:
        words = read_prompts(OWN_AGES if ages else OWN_PLANES, OWN_LICENCE)
    else:
        words = read_prompts(prompts, prompts_licence)
    if ages != (spacing_min_mm is not None) or ages != (spacing_max_mm is not None):
        raise UsageError(
            "--spacing-min-mm and --spacing-max-mm",
            expected="both with --kind gestational-age, and neither with another kind",
            remedy="Give the range of (longest side of the region in px) / (side of the teacher's "
            "input in px) x (mm per pixel) that your carts show",
        )
    bundle = load_bundle(model)
    spacings = None
    if spacing_min_mm is not None and spacing_max_mm is not None:
        spacings = spacing_grid(spacing_min_mm, spacing_max_mm)
        console.print(
            f"{spacings.count} spacings x {DAYS.count} days: a bank of "
            f"{age_bank_bytes(bundle, spacings) / 2**20:.1f} MiB, from "
            f"{spacings.count * DAYS.count * sum(len(c.prompts) for c in words.classes):,} prompts"
        )
    tower = load_teacher(teacher, teacher_weights, sha256=teacher_sha256)
    if spacings is None:
        made = add_plane_bank(bundle, tower, words)
    else:
        progress = partial(track, description="prompts", console=console)
        made = add_age_bank(bundle, tower, words, spacings, progress)
    entry = made.manifest.text_banks[-1]
    stand_in = " (stand-in)" if entry.stand_in else ""
    console.print(
        f"teacher {entry.teacher}{stand_in}, licence {entry.teacher_licence}; prompts, licence "
        f"{entry.prompts_licence}: both hold for the bank"
    )
    typer.echo(f"{entry.path}: {entry.rows} vectors, {entry.bytes / 2**20:.2f} MiB")
    typer.echo(f"digest {made.digest}")
