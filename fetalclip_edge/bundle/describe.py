"""A bundle in words and tables for people, or as JSON for programs."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Metric, SegmentationHead
from fetalclip_edge.textbank.entry import PlaneBank, TextBankEntry

_SHA_CHARS = 12
_MIB = 2**20


def bundle_json(bundle: Bundle) -> str:
    """Returns the folder, the digest and the whole manifest as one JSON object."""
    fields = {
        "folder": str(bundle.folder),
        "digest": bundle.digest,
        "manifest": bundle.manifest.model_dump(mode="json"),
    }
    return json.dumps(fields, indent=2, ensure_ascii=False)


def print_bundle(bundle: Bundle, console: Console) -> None:
    """Prints what a person must know before using the bundle."""
    manifest = bundle.manifest
    _overview(bundle, console)
    _heads(bundle, console)
    _files(bundle, console)
    if manifest.text_banks:
        _text_banks(manifest.text_banks, console)
    _provenance(bundle, console)
    if manifest.metrics:
        _metrics(manifest.metrics, console)
    gate = manifest.gate
    _rows(
        console,
        "Measurements are withheld",
        [
            ("mean mask probability below", f"{gate.min_structure_score:g}"),
            ("plane confidence below", f"{gate.min_plane_confidence:g}"),
            ("ellipse residual above", f"{gate.max_fit_residual:g}"),
            ("share of outline on the border above", f"{gate.max_border_fraction:g}"),
        ],
    )
    _golden(bundle, console)


def _plain(text: object) -> Text:
    # a manifest is foreign text: no rich markup and no terminal control codes out of it
    return Text("".join(c if c.isprintable() else " " for c in str(text)))


def _rows(console: Console, title: str, rows: list[tuple[str, object]]) -> None:
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, _plain(value))
    console.print(table)


def _grid(console: Console, title: str, columns: list[str], rows: list[list[object]]) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*map(_plain, row))
    console.print(table)


def _overview(bundle: Bundle, console: Console) -> None:
    manifest = bundle.manifest
    side = manifest.input.size_px
    space = manifest.embedding_space
    # outside the table, whose cells fold: a digest is there to be copied
    console.print(Text(f"digest {bundle.digest}"), soft_wrap=True)
    _rows(
        console,
        "Bundle",
        [
            ("name", manifest.name),
            ("version", manifest.version),
            ("folder", bundle.folder),
            ("intended use", manifest.intended_use),
            ("weights licence", manifest.weights_licence),
            ("input", f"{manifest.input.dtype} gray, {side} x {side}, letterboxed"),
            ("embeddings", f"{space.name}, {space.dim} numbers"),
        ],
    )


def _heads(bundle: Bundle, console: Console) -> None:
    rows: list[list[object]] = []
    for head in bundle.manifest.heads:
        planes = ", ".join(head.valid_planes) or "any plane"
        if isinstance(head, SegmentationHead):
            for structure in head.structures:
                taken = ", ".join(f"{m.kind} ({m.convention})" for m in structure.measurements)
                found = f"{structure.name} ({structure.geometry}): {taken or 'not measured'}"
                rows.append([head.name, head.kind, found, planes])
        else:
            rows.append([head.name, head.kind, ", ".join(head.classes), planes])
    columns = ["head", "kind", "classes, or structure and measurements", "valid on"]
    _grid(console, "Heads", columns, rows)


def _files(bundle: Bundle, console: Console) -> None:
    _grid(
        console,
        "Model files",
        ["backend", "precision", "MiB", "opset", "sha256", "path"],
        [
            [
                entry.backend.value,
                entry.precision.value,
                f"{entry.bytes / _MIB:.2f}",
                entry.opset,
                entry.sha256[:_SHA_CHARS],
                entry.path,
            ]
            for entry in bundle.manifest.files
        ],
    )


def _text_banks(banks: tuple[TextBankEntry, ...], console: Console) -> None:
    rows: list[list[object]] = []
    for bank in banks:
        if isinstance(bank, PlaneBank):
            holds = ", ".join(bank.classes)
        else:
            days, spacings = bank.days, bank.spacings
            holds = (
                f"{days.count} days from {days.first_ga_days // 7}w{days.first_ga_days % 7}d, "
                f"{spacings.count} spacings from {spacings.first_mm:g} to {spacings.last_mm:g} mm "
                f"at {bank.prompt_size_px} px; on {', '.join(bank.valid_planes)}"
            )
        teacher = f"{bank.teacher} (stand-in)" if bank.stand_in else bank.teacher
        licences = f"{bank.teacher_licence}; prompts: {bank.prompts_licence}"
        size = f"{bank.bytes / _MIB:.2f}"
        rows.append([bank.name, holds, teacher, licences, size, bank.sha256[:_SHA_CHARS]])
    columns = ["bank", "holds", "teacher", "licences", "MiB", "sha256"]
    _grid(console, "Text banks, for zero-shot", columns, rows)


def _provenance(bundle: Bundle, console: Console) -> None:
    source = bundle.manifest.provenance
    _rows(
        console,
        "Provenance",
        [
            ("teacher", source.teacher or "none"),
            ("teacher licence", source.teacher_licence or "none"),
            ("student", f"{source.student}, {source.parameters:,} parameters"),
            ("recipe sha256", source.recipe_sha256[:_SHA_CHARS]),
            ("INT8 calibration set", (source.calibration_set_sha256 or "none")[:_SHA_CHARS]),
            ("commit", source.commit or "unknown"),
        ],
    )
    # names of the frames trained on run to thousands: only counted here, listed by --json
    _grid(
        console,
        "Data",
        ["data set", "licence", "frames", "trained on", "split", "credit"],
        [
            [data.name, data.licence, data.frames, len(data.trained_on), data.split, data.credit]
            for data in source.data
        ],
    )


def _metrics(metrics: tuple[Metric, ...], console: Console) -> None:
    rows: list[list[object]] = []
    for metric in metrics:
        low_high = metric.interval_95
        interval = "" if low_high is None else f"{low_high[0]:.4g} to {low_high[1]:.4g}"
        value = f"{metric.value:.4g} {metric.unit}".strip()
        rows.append([metric.name, value, interval, metric.data, metric.split, metric.n])
    _grid(console, "Metrics", ["figure", "value", "95 % interval", "data", "split", "n"], rows)


def _golden(bundle: Bundle, console: Console) -> None:
    golden = bundle.manifest.golden
    reference = f"{golden.reference_backend.value}/{golden.reference_precision.value}"
    _grid(
        console,
        f"Self-test: {len(golden.frames)} golden frames, reference {reference}",
        ["backend", "precision", "cosine at least", "score within", "Dice at least", "HC within"],
        [
            [
                limit.backend.value,
                limit.precision.value,
                f"{limit.embedding_cosine_min:g}",
                f"{limit.probability_abs_max:g}",
                f"{limit.mask_dsc_min:g}",
                f"{limit.hc_mm_abs_max:g} mm",
            ]
            for limit in golden.tolerances
        ],
    )
