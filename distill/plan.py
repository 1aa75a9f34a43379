"""What a run would do, before it does it: data, size, memory and time; nothing is written."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator

import torch
from lightning_fabric import Fabric
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from distill.data.sample import Split
from distill.model import Student
from distill.run import Run
from distill.train import batches, forward, make_optimizer, side_of, training_mode
from distill.train_frames import Batch

TIMED_STEPS = 3
_MIB = 2**20


def print_plan(fabric: Fabric, run: Run, console: Console) -> None:
    """Prints the plan of a run; a few steps are made on a copy to measure time and memory."""
    recipe, record = run.recipe, run.record
    _grid(
        console,
        "Data",
        ["data set", "part", "frames", "masks", "planes", "labels used"],
        list(_data_rows(run)),
    )
    trained = sum(p.numel() for p in run.student.parameters() if p.requires_grad)
    every = sum(p.numel() for p in run.student.parameters())
    teacher = record.teacher
    steps = run.draws.batches // recipe.training.accumulation * recipe.training.epochs
    sides = [side_of(recipe, epoch) for epoch in range(recipe.training.epochs)]
    costs = {side: _measure(fabric, run, side) for side in sorted(set(sides))}
    seconds = sum(costs[side][0] * run.draws.batches for side in sides)
    rows = [
        ("recipe sha256", record.recipe_sha256),
        (
            "teacher",
            "none"
            if teacher is None
            else f"{teacher.name}{' (stand-in)' if teacher.stand_in else ''}, {teacher.licence}",
        ),
        ("student", f"{recipe.student.preset}, embedding {record.embedding_dim}"),
        ("parameters", f"{every:,}, of which {trained:,} are trained"),
        ("MACs a frame", f"{macs(run.student, recipe.student.size_px) / 1e6:,.0f} M"),
        ("weights, gradients, AdamW, average", f"{(2 * every + 3 * trained) * 4 / _MIB:,.0f} MiB"),
        ("frames in memory", f"{_cache_bytes(run) / _MIB:,.0f} MiB"),
        *(
            (f"at {side} px", f"{cost[0] * 1e3:,.0f} ms a batch, {cost[1] / _MIB:,.0f} MiB kept")
            for side, cost in costs.items()
        ),
        (
            "steps",
            f"{steps:,}, {recipe.training.accumulation} x {recipe.training.batch} frames each, "
            f"over {recipe.training.epochs} epochs",
        ),
        ("processes", f"{fabric.world_size} on {fabric.device.type}"),
        ("time", f"about {seconds / 60:,.1f} min, validation left out"),
    ]
    table = Table("what", "value", title="Plan", title_justify="left", show_header=False)
    table.columns[1].overflow = "fold"
    for what, value in rows:
        table.add_row(what, value)
    console.print(table)


def macs(student: Student, size_px: int) -> int:
    """Returns the multiply-accumulates of one frame: half of the counted floating-point work."""
    frame = torch.zeros(1, 1, size_px, size_px, dtype=torch.uint8)
    twin = copy.deepcopy(student).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        twin(frame)
    return int(counter.get_total_flops()) // 2


def _data_rows(run: Run) -> Iterator[list[str]]:
    visible = iter(run.split.visible)
    used = [next(visible) if s.split is Split.TRAIN else True for s in run.split.samples]
    pairs = list(zip(run.split.samples, used, strict=True))
    for data_set in sorted({s.data_set for s in run.split.samples}):
        for split in Split:
            part = [(s, u) for s, u in pairs if (s.data_set, s.split) == (data_set, split)]
            planes = Counter(s.plane is not None for s, _ in part)[True]
            masks = Counter(s.outline is not None for s, _ in part)[True]
            labels = str(sum(u for _, u in part)) if split is Split.TRAIN else "-"
            yield [data_set, split.value, str(len(part)), str(masks), str(planes), labels]


def _measure(fabric: Fabric, run: Run, side_px: int) -> tuple[float, int]:
    """Returns (seconds a batch, bytes kept for the backward pass); the first batch is left out."""
    twin = copy.deepcopy(run.student)
    model, optimizer = fabric.setup(twin, make_optimizer(twin, run.recipe.optimizer))
    training_mode(model, run.recipe)
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    run.draws.begin(0, 0)
    seconds: list[float] = []
    for number, batch in enumerate(_some(fabric, run)):
        began = time.perf_counter()
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss, _ = forward(fabric, model, run.objective, batch, side_px, 0.0)
        fabric.backward(loss)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if fabric.device.type == "cuda":
            torch.cuda.synchronize()
        if number > 0:
            seconds.append(time.perf_counter() - began)
        else:
            total = sum(kept.values())
    return min(seconds, default=float("nan")), total


def _some(fabric: Fabric, run: Run) -> Iterator[Batch]:
    """Yields the same batch a few times: frames are prepared beside the step, not in it."""
    batch = next(iter(batches(fabric, run)))
    for _ in range(1 + TIMED_STEPS):
        yield batch


def _cache_bytes(run: Run) -> int:
    caches = (run.frames.cached, run.validation.cached)
    return sum(c.frames.nbytes + c.masks.nbytes for c in caches)


def _grid(console: Console, title: str, columns: list[str], rows: list[list[str]]) -> None:
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    console.print(table)
