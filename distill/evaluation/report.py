"""The page of an evaluation: what was measured, on what, how, and how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from distill.evaluation.evaluation import Evaluation
from distill.evaluation.heads import HeadOutcome
from distill.evaluation.report_ages import age_blocks
from distill.evaluation.report_heads import head_blocks
from distill.evaluation.report_planes import plane_blocks
from distill.evaluation.report_probe import probe_blocks
from distill.evaluation.summary import main_rows
from fetalclip_edge.report.blocks import (
    Block,
    Column,
    Heading,
    Note,
    Paragraph,
    Picture,
    PictureGrid,
    Table,
)
from fetalclip_edge.report.page import Page

_METHOD = (
    "Every frame went through the cart's own pipeline in source resolution, with the model file "
    "that a cart runs. Figures are those of test frames; no training step saw them and nothing "
    "was chosen on them.",
    "Intervals are 95 % percentile intervals of a cluster bootstrap with 2,000 draws: frames of "
    "one patient resemble each other, so that patients are drawn, not frames. HC18 names no "
    "patient; its file number stands for one, although some women have several numbers, so that "
    "its intervals are somewhat too narrow. Where no frame, or every one, counts for a share, "
    "the interval is the exact one of Clopper and Pearson with one trial a patient; an F1 of 1 "
    "in every draw has none that means anything.",
    "DSC is taken in source pixels against the ellipse through the drawn outline; per image it "
    "is averaged over images, pooled it is taken over all pixels of all images at once.",
    "HC is the circumference of the ellipse fitted to the outline, with the gate off, against "
    "the published value. Limits of agreement are bias +- 1.96 standard deviations (Bland & "
    "Altman, Lancet 1986). The trimester is that of the true HC's INTERGROWTH-21st age.",
    "F1 is macro F1, the plain mean of F1 over classes, on frames of these classes. The four "
    "classes are brain, abdomen, femur and thorax; how many frames each has stands by class.",
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """What is shown of the frames themselves; all empty where pictures are left out."""

    worst_heads: tuple[Picture, ...] = ()
    median_heads: tuple[Picture, ...] = ()
    confused: tuple[Picture, ...] = ()


def make_page(evaluation: Evaluation, heads: Sequence[HeadOutcome], pictures: Pictures) -> Page:
    """Returns the page.

    Args:
        evaluation: its figures.
        heads: the test heads, for the figures that show each of them.
        pictures: frames to show.
    """
    bundle = evaluation.bundle
    return Page(
        f"Evaluation of {bundle.name} {bundle.version}",
        f"{bundle.parameters / 1e6:.1f} M parameters, {bundle.precision}, bundle {bundle.digest}",
        tuple(_blocks(evaluation, heads, pictures)),
    )


def _blocks(
    evaluation: Evaluation, heads: Sequence[HeadOutcome], pictures: Pictures
) -> Iterator[Block]:
    yield Note("Not a medical device. Research use only; no output may guide care.")
    if evaluation.retention is not None and evaluation.retention.stand_in:
        yield Note(
            f"The teacher here, {evaluation.retention.teacher}, is a stand-in: what is said about "
            "it says nothing about FetalCLIP itself."
        )
    yield Heading("Main figures")
    yield Table(
        (
            Column("test frames"),
            Column("value", numeric=True),
            Column("95 % interval", numeric=True),
            Column("frames", numeric=True),
            Column("groups", numeric=True),
        ),
        tuple(row.cells for row in main_rows(evaluation)),
    )
    yield from head_blocks(evaluation, heads)
    for title, shown in (
        ("The worst heads", pictures.worst_heads),
        ("Heads around the median", pictures.median_heads),
    ):
        if shown:
            yield Heading(title, 3)
            yield Paragraph("True outline blue, outline found yellow.")
            yield PictureGrid(shown)
    yield from plane_blocks(evaluation)
    if pictures.confused:
        yield Heading("Planes taken for others", 3)
        yield PictureGrid(pictures.confused)
    yield from probe_blocks(evaluation)
    yield from age_blocks(evaluation)
    yield from _how(evaluation)


def _how(evaluation: Evaluation) -> Iterator[Block]:
    bundle = evaluation.bundle
    yield Heading("How it was measured")
    for words in _METHOD:
        yield Paragraph(words)
    yield Table(
        (
            Column("data set"),
            Column("split"),
            Column("frames", numeric=True),
            Column("groups", numeric=True),
        ),
        tuple((p.data_set, p.split, str(p.frames), str(p.groups)) for p in evaluation.data),
    )
    teacher = "none"
    if bundle.teacher is not None:
        teacher = f"{bundle.teacher} ({bundle.teacher_licence or 'licence not named'})"
    facts = (
        ("licence of the weights", bundle.weights_licence),
        ("teacher of the weights", teacher),
        *((item.package, item.version) for item in evaluation.versions),
    )
    yield Table((Column("what"), Column("which")), facts)
