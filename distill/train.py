"""Supervised training of a student on masks and planes together, read from top to bottom."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler
from torchvision import tv_tensors

from distill.augment import train_transform
from distill.data.cache import CachedFrames
from distill.losses import mask_loss, plane_loss
from distill.model import Student, StudentSpec
from distill.score import Scores, score


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How a student is trained.

    Attributes:
        epochs: passes over the training frames.
        batch: frames a step.
        lr: peak learning rate of AdamW after one epoch of warm-up; then a cosine to 1 %.
        weight_decay: of AdamW.
        size_px: side of the model's input.
        early_size_px: side used for the first `early_share` of the epochs, to save time
            (progressive resizing as in Tan & Le, EfficientNetV2, ICML 2021).
        early_share: share of the epochs at the early size.
        ema_decay: decay of the weight average that is kept.
        seed: of every random choice.
    """

    epochs: int = 40
    batch: int = 16
    lr: float = 2e-3
    weight_decay: float = 0.05
    size_px: int = 256
    early_size_px: int = 160
    early_share: float = 0.5
    ema_decay: float = 0.998
    seed: int = 0


class AugmentedFrames(Dataset[tuple[Tensor, Tensor, int, Tensor]]):
    """Cached frames, augmented anew at each visit."""

    def __init__(self, cached: CachedFrames) -> None:
        self.cached = cached
        self.transform = train_transform()

    def __len__(self) -> int:
        return len(self.cached)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, int, Tensor]:
        frame, mask, plane, labelled = self.cached[index]
        frame, mask = self.transform(tv_tensors.Image(frame), tv_tensors.Mask(mask))
        return frame.as_subclass(Tensor), mask.as_subclass(Tensor), plane, labelled


def balanced_sampler(cached: CachedFrames, generator: torch.Generator) -> WeightedRandomSampler:
    """Draws each (data set, plane) with a weight of the root of its size, so none starves."""
    keys = [(sample.data_set, sample.plane) for sample in cached.samples]
    weights = [1.0 / math.sqrt(keys.count(key)) for key in keys]
    return WeightedRandomSampler(weights, len(keys), generator=generator)


def train(  # noqa: PLR0915  (a loop that reads from top to bottom)
    spec: StudentSpec,
    config: TrainConfig,
    train_frames: CachedFrames,
    validation_frames: CachedFrames,
    folder: Path,
) -> Scores:
    """Trains a student and keeps the epoch that is best on validation as ``best.pt``.

    A run that was killed goes on from ``last.pt`` when it is called again with the same folder.

    Returns:
        The validation scores of the epoch that was kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    student = Student(spec).to(memory_format=torch.channels_last)
    average = _average(student, config.ema_decay)
    optimizer = torch.optim.AdamW(
        student.parameters(), lr=config.lr, weight_decay=config.weight_decay
    )
    loader = DataLoader(
        AugmentedFrames(train_frames),
        batch_size=config.batch,
        sampler=balanced_sampler(train_frames, generator),
        num_workers=1,
        drop_last=True,
        persistent_workers=True,
    )
    steps, warmup = config.epochs * len(loader), len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: (
            min(1.0, (step + 1) / warmup)
            * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, step / steps))))
        ),
    )
    first, best = 0, None
    last = folder / "last.pt"
    if last.is_file():
        state = torch.load(last, weights_only=True)
        student.load_state_dict(state["student"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"])
        torch.set_rng_state(state["rng"])
        first, best = state["epoch"] + 1, Scores(**state["best"])

    for epoch in range(first, config.epochs):
        began, total = time.perf_counter(), 0.0
        early = epoch < config.early_share * config.epochs
        side = config.early_size_px if early else config.size_px
        student.train()
        for frame, mask, plane, labelled in track(loader, f"epoch {epoch}", transient=True):
            x, target = frame.float(), mask.float() / 255.0
            if side != config.size_px:
                x = torch.nn.functional.interpolate(x, size=(side, side), mode="area")
                target = torch.nn.functional.interpolate(target, size=(side, side), mode="area")
            with torch.autocast("cpu", torch.bfloat16):
                out = student(x.contiguous(memory_format=torch.channels_last))
            loss = mask_loss(out.mask.float(), target, labelled)
            loss = loss + 0.5 * plane_loss(out.plane.float(), plane)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(student.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            average.update_parameters(student)
            total += float(loss.detach())
        scores = score(average.module, validation_frames, side)
        if best is None or scores.merit >= best.merit:
            best = scores
            _save(folder / "best.pt", {"student": average.module.state_dict()})
        seconds, loss_mean = time.perf_counter() - began, total / len(loader)
        line = {"epoch": epoch, "side": side, "loss": loss_mean, "seconds": seconds}
        with (folder / "log.jsonl").open("a") as log:
            log.write(json.dumps({**line, **asdict(scores)}) + "\n")
        state = {
            "student": student.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "generator": generator.get_state(),
            "rng": torch.get_rng_state(),
            "epoch": epoch,
            "best": asdict(best),
        }
        _save(last, state)
    if best is None:
        raise ValueError("training needs at least one epoch")
    return best


def _average(student: Student, decay: float) -> AveragedModel:
    """Returns an exponential moving average of weights and batch norm statistics."""
    average_fn = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    return AveragedModel(student, multi_avg_fn=average_fn, use_buffers=True)


def _save(path: Path, state: dict[str, object]) -> None:
    """Writes beside the old file and swaps, so that a kill never leaves half a checkpoint."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)
