"""The training loop, read from top to bottom; the same on a CPU, a GPU, and several of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

import torch
from lightning_fabric import Fabric
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from distill.checkpoint import LAST_NAME, Position, load_run, save_run, save_tensors, save_weights
from distill.devices import loader_workers
from distill.model import StudentOutput
from distill.objective import Objective
from distill.recipe import OptimizerPart, Recipe, Trained
from distill.run import Run
from distill.run_log import RunLog
from distill.run_record import CHECKPOINT_NAME
from distill.score import Scores, score
from distill.train_frames import Batch
from fetalclip_edge.cli.console import progress_console
from fetalclip_edge.errors import CheckFailedError


def train(fabric: Fabric, run: Run) -> Scores:  # noqa: PLR0915  (it reads from top to bottom)
    """Trains a student and keeps the weights that are best on validation as ``best.pt``.

    A run that was killed goes on from ``last.pt`` when it is called again with the same folder.
    What is kept is an exponential moving average of weights and batch norm statistics.

    Returns:
        The validation scores of the weights that were kept.

    Raises:
        CheckFailedError: a loss or gradient is not finite; the batch lies in the run's folder.
        InputError: the checkpoint cannot be used.
        SinkError: a file cannot be written; the last whole checkpoint is still there.
    """
    recipe, student, position = run.recipe, run.student, Position()
    model, optimizer = fabric.setup(student, make_optimizer(student, recipe.optimizer))
    average = _average(student, recipe.training.ema_decay)
    last = run.folder / LAST_NAME
    if last.is_file():
        position = load_run(last, student, average, optimizer.optimizer)
    accumulation = recipe.training.accumulation
    steps_per_epoch = run.draws.batches // accumulation
    steps = recipe.training.epochs * steps_per_epoch
    loader, main = batches(fabric, run), fabric.is_global_zero
    with (
        RunLog(run.folder, position) if main else nullcontext() as log,
        _progress(main, steps, position.step) as advance,
    ):
        while position.epoch < recipe.training.epochs:
            began = time.perf_counter()
            side_px = side_of(recipe, position.epoch)
            run.draws.begin(position.epoch, position.batch)
            training_mode(model, recipe)
            for batch in loader:
                done = (position.batch + 1) % accumulation == 0
                share = position.step / steps
                with fabric.no_backward_sync(model, enabled=not done):
                    loss, parts = forward(fabric, model, run.objective, batch, side_px, share)
                    _stop_unless_finite(loss, "loss", batch, run, fabric.global_rank)
                    fabric.backward(loss / accumulation)
                position.batch += 1
                for name, part in (("loss", loss), *parts.items()):
                    position.sums[name] = position.sums.get(name, 0.0) + float(part.detach())
                if not done:
                    continue
                rate = learning_rate(recipe.optimizer, position.step, steps_per_epoch, steps)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                norm = fabric.clip_gradients(
                    model,
                    optimizer,
                    max_norm=recipe.training.clip_norm,
                    error_if_nonfinite=False,
                )
                if norm is None:
                    raise TypeError("clipping by norm returns the norm")
                _stop_unless_finite(norm, "gradient", batch, run, fabric.global_rank)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                average.update_parameters(student)
                position.step += 1
                advance(position.epoch)
                if log is not None:
                    values = {"loss": loss, **parts, "gradient_norm": norm}
                    numbers = {name: float(value.detach()) for name, value in values.items()}
                    log.step(position.step, {"lr": rate, **numbers})
                if main and position.step % recipe.training.checkpoint_steps == 0:
                    save_run(last, position, student, average, optimizer.optimizer)

            if log is not None:
                seconds = time.perf_counter() - began
                _choose(fabric, run, average.module, position, log, side_px, seconds)
            position.epoch, position.batch, position.sums = position.epoch + 1, 0, {}
            if main:
                save_run(last, position, student, average, optimizer.optimizer)
            fabric.barrier()
    best: Scores | None = fabric.broadcast(position.best)
    if best is None:
        raise ValueError("a run has at least one epoch")
    return best


def _choose(
    fabric: Fabric,
    run: Run,
    average: nn.Module,
    position: Position,
    log: RunLog,
    side_px: int,
    seconds: float,
) -> None:
    """Scores the average at the end of an epoch, and keeps it if it is the best so far.

    Scores at the early size say nothing of the size that is exported: with the last size the
    choice begins anew.
    """
    scores = score(average, run.validation, fabric.autocast, side_px)
    anew = side_of(run.recipe, position.epoch - 1) != side_px
    if position.best is None or anew or scores.merit >= position.best.merit:
        position.best = scores
        save_weights(run.folder / CHECKPOINT_NAME, average)
    means = {name: total / position.batch for name, total in position.sums.items()}
    line = {"side": side_px, **means, "seconds": seconds, **asdict(scores)}
    log.epoch(position.epoch, position.step, line)


def forward(
    fabric: Fabric,
    model: nn.Module,
    objective: Objective,
    batch: Batch,
    side_px: int,
    progress: float,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the loss of one batch, and its parts by name before they are weighted."""
    batch = fabric.to_device(batch)
    x, target = batch.frame.float(), batch.mask.float() / 255.0
    if side_px != x.shape[-1]:
        x = nn.functional.interpolate(x, size=(side_px, side_px), mode="area")
        target = nn.functional.interpolate(target, size=(side_px, side_px), mode="area")
    out: StudentOutput = model(x.contiguous(memory_format=torch.channels_last))
    return objective(out, batch, target, progress)


def batches(fabric: Fabric, run: Run) -> DataLoader[Batch]:
    """Returns the loader of this process; `run.draws.begin` says which epoch comes next."""
    return DataLoader(
        run.frames,
        batch_size=run.draws.local_batch,
        sampler=run.draws,
        num_workers=loader_workers(fabric),
        pin_memory=fabric.device.type == "cuda",
        persistent_workers=True,
        # its own, so that beginning an epoch again draws nothing from the run's randomness
        generator=torch.Generator(),
    )


def side_of(recipe: Recipe, epoch: int) -> int:
    """Returns the side of the frames in an epoch."""
    early = epoch < recipe.student.early_share * recipe.training.epochs
    return recipe.student.early_size_px if early else recipe.student.size_px


def learning_rate(part: OptimizerPart, step: int, steps_per_epoch: int, steps: int) -> float:
    """Returns the rate of a step: a linear warm-up times a cosine from 1 to `floor`."""
    warmup = max(1.0, part.warmup_epochs * steps_per_epoch)
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / steps)))
    return part.lr * min(1.0, (step + 1) / warmup) * (part.floor + (1.0 - part.floor) * cosine)


def training_mode(model: nn.Module, recipe: Recipe) -> None:
    """Puts the network into training mode; a frozen encoder keeps its statistics."""
    model.train()
    if recipe.student.trained is Trained.HEADS:
        for name, module in model.named_modules():
            if name.endswith("encoder"):
                module.eval()


def make_optimizer(student: nn.Module, part: OptimizerPart) -> torch.optim.Optimizer:
    """Returns AdamW over the weights that move."""
    moving = [p for p in student.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        moving,
        lr=part.lr,
        weight_decay=part.weight_decay,
        betas=part.betas,
        fused=True,  # on a CPU too it is several times faster than the loop over weights
    )


def _average(student: nn.Module, decay: float) -> AveragedModel:
    average_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(student, multi_avg_fn=average_fn, use_buffers=True)


def _stop_unless_finite(value: Tensor, what: str, batch: Batch, run: Run, rank: int) -> None:
    """Raises `CheckFailedError` for a NaN or an infinity, once the batch is on the disk."""
    if bool(torch.isfinite(value)):
        return
    path = run.folder / f"not_finite_{rank}.pt"
    names = [run.frames.cached.samples[i].image.name for i in batch.rows.tolist()]
    save_tensors(path, {**batch._asdict(), "images": names})
    raise CheckFailedError(
        f"{what} of the batch in {path}",
        expected="a finite number",
        arrived=str(float(value.detach())),
        remedy="Look at its frames; a lower optimizer.lr or training.clip_norm may help",
    )


@contextmanager
def _progress(shown: bool, steps: int, done: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(
        *columns,
        TimeRemainingColumn(),
        console=progress_console(),
        transient=True,
        disable=not shown,
    )
    with bar:
        task = bar.add_task("training", total=steps, completed=done)
        yield lambda epoch: bar.update(task, advance=1, description=f"epoch {epoch}")
