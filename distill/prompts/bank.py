"""A bank into a bundle: compiled by the bundle's own teacher, or not at all."""

from __future__ import annotations

import hashlib
from typing import Any

from distill.prompts.compile import Progress, TextTower, age_vectors, class_vectors
from distill.prompts.naming import named_as_planes
from distill.prompts.prompt_file import PromptFile
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.write import write_bundle
from fetalclip_edge.errors import InputError, UsageError
from fetalclip_edge.geometry import MAX_SPACING_MM
from fetalclip_edge.textbank.entry import (
    MAX_BANK_BYTES,
    DayGrid,
    GestationalAgeBank,
    PlaneBank,
    SpacingGrid,
)
from fetalclip_edge.textbank.file import bank_bytes

DAYS = DayGrid(first_ga_days=14 * 7, count=175)
"""14w0d to 38w6d, the grid of FetalCLIP (Maani et al., arXiv 2502.14807)."""

SPACING_STEP_MM = 0.01
"""Prompts name the spacing with two decimals, so that a finer grid holds nothing more."""

_PLANE_PATH, _AGE_PATH = "text_banks/plane.npy", "text_banks/gestational_age.npy"


def spacing_grid(min_mm: float, max_mm: float) -> SpacingGrid:
    """Returns the spacings from `min_mm` to `max_mm`, in steps of 0.01 mm.

    Raises:
        UsageError: the range is empty, or not within 0.01 to 10 mm.
    """
    if not SPACING_STEP_MM <= min_mm <= max_mm <= MAX_SPACING_MM:
        raise UsageError(
            "range of spacings",
            expected=f"{SPACING_STEP_MM} <= smallest <= largest <= {MAX_SPACING_MM:g} mm",
            arrived=f"{min_mm:g} to {max_mm:g} mm",
            remedy="Give the range of (longest side of the region in px) / (side of the teacher's "
            "input in px) x (mm per pixel) that your carts show",
        )
    first, last = round(min_mm / SPACING_STEP_MM), round(max_mm / SPACING_STEP_MM)
    # divided, since 0.01 x 29 is not the double nearest to 0.29
    return SpacingGrid(first_mm=first / 100, step_mm=SPACING_STEP_MM, count=last - first + 1)


def age_bank_bytes(bundle: Bundle, spacings: SpacingGrid) -> int:
    """Returns how large a bank of ages will be, in bytes, but for its header."""
    return spacings.count * DAYS.count * bundle.manifest.embedding_space.dim * 4


def check_space(bundle: Bundle, tower: TextTower) -> None:
    """Raises `InputError` unless the bundle's embeddings live in this teacher's space."""
    space = bundle.manifest.embedding_space.name
    if tower.space != space:
        raise InputError(
            f"teacher {tower.name} for bundle {bundle.folder}",
            expected=f"a teacher of the bundle's embedding space {space!r}",
            arrived=f"{tower.space!r}",
            remedy="Give the teacher that the bundle was distilled from, with the same weights; "
            "a student without a teacher has no words to compare with",
        )


def add_plane_bank(bundle: Bundle, tower: TextTower, prompts: PromptFile) -> Bundle:
    """Compiles a bank of classes and writes the bundle anew, with it.

    Raises:
        InputError: another embedding space, or fewer than two classes.
        BundleError: the bundle cannot be written; the old one is untouched.
    """
    check_space(bundle, tower)
    classes = named_as_planes(prompts.classes, bundle.manifest.planes())
    if len(classes) < 2:
        raise InputError("prompts", expected="two classes or more", arrived=f"{len(classes)}")
    data = bank_bytes(class_vectors(tower, classes))
    entry = PlaneBank(
        name=_name("zero-shot plane", tower),
        path=_PLANE_PATH,
        **_lineage(tower, prompts, data),
        classes=tuple(item.name for item in classes),
        logit_scale=tower.logit_scale,
    )
    return _with_bank(bundle, entry, data)


def add_age_bank(
    bundle: Bundle,
    tower: TextTower,
    prompts: PromptFile,
    spacings: SpacingGrid,
    progress: Progress = iter,
) -> Bundle:
    """Compiles a bank of gestational ages and writes the bundle anew, with it.

    Args:
        bundle: the bundle to replace.
        tower: its teacher.
        prompts: templates under one class, the plane on which an age may be shown.
        spacings: pixel spacings at the side of the teacher's input.
        progress: shows how far the spacings are.

    Raises:
        InputError: another embedding space, another plane, or templates that cannot be filled.
        UsageError: the bank would be too large.
        BundleError: the bundle cannot be written; the old one is untouched.
    """
    check_space(bundle, tower)
    planes = bundle.manifest.planes()
    named = named_as_planes(prompts.classes, planes)
    if len(named) != 1 or named[0].name not in planes:
        raise InputError(
            "prompts of ages",
            expected=f"templates under one plane of the bundle: {', '.join(planes)}",
            arrived=", ".join(item.name for item in named),
        )
    if (size := age_bank_bytes(bundle, spacings)) > MAX_BANK_BYTES:
        raise UsageError(
            "range of spacings",
            expected=f"a bank of at most {MAX_BANK_BYTES // 2**20} MiB",
            arrived=f"{size / 2**20:.0f} MiB for {spacings.count} spacings",
            remedy="Give a narrower range",
        )
    data = bank_bytes(age_vectors(tower, named[0].prompts, DAYS, spacings, progress))
    entry = GestationalAgeBank(
        name=_name("zero-shot age", tower),
        path=_AGE_PATH,
        **_lineage(tower, prompts, data),
        valid_planes=(named[0].name,),
        days=DAYS,
        spacings=spacings,
        prompt_size_px=tower.prompt_size_px,
    )
    return _with_bank(bundle, entry, data)


def _name(name: str, tower: TextTower) -> str:
    # the name stands beside every number that the bank gives, on the screen and in the record
    return f"stand-in {name}" if tower.stand_in else name


def _lineage(tower: TextTower, prompts: PromptFile, data: bytes) -> dict[str, Any]:
    """Returns the fields that every kind of bank has."""
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "embedding_space": tower.space,
        "teacher": tower.name,
        "teacher_licence": tower.licence,
        "stand_in": tower.stand_in,
        "prompts_sha256": prompts.sha256,
        "prompts_licence": prompts.licence,
    }


def _with_bank(bundle: Bundle, entry: PlaneBank | GestationalAgeBank, data: bytes) -> Bundle:
    """Writes the bundle anew; a bank of the same name is replaced."""
    kept = tuple(bank for bank in bundle.manifest.text_banks if bank.name != entry.name)
    manifest = bundle.manifest.model_copy(update={"text_banks": (*kept, entry)})
    files = {path: bundle.folder / path for path in manifest.digests()}
    return write_bundle(bundle.folder, manifest, {**files, entry.path: data})
