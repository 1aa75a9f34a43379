"""Runs of `distill` against each other on the same held-out frames, each group over its seeds.

python examples/distill_small/compare.py DATA "labels=RUN,RUN,RUN" "both=RUN,RUN,RUN"

The first group is the baseline. Plane F1 is the macro F1 over brain, abdomen, femur and thorax,
DSC that of the head at the student's own size. Intervals are 95 % bootstraps that draw patients
(HC18: file numbers), the same for every run; a difference is the mean over seeds of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from distill.checkpoint import load_weights
from distill.data.cache import CachedFrames
from distill.data.sample import Sample, Split
from distill.data.standard import load_standard
from distill.evaluation.bootstrap import Figure, Floats, Resampler
from distill.evaluation.planes import FOUR, confusion_rows, macro_f1
from distill.model import Student
from distill.run_record import CHECKPOINT_NAME, RunRecord

BATCH = 32


@dataclass(frozen=True, slots=True)
class Said:
    """What one run says of the frames.

    Attributes:
        plane: int64 (N,), the plane it chose of each frame.
        dsc: float64 (N,), Dice coefficient of the head; NaN where no head is drawn.
    """

    plane: NDArray[np.int64]
    dsc: Floats


@torch.inference_mode()
def said_by(run: Path, cached: CachedFrames) -> Said:
    """Returns what the weights that a run kept say of the frames."""
    record = RunRecord.load(run)
    student = Student(record.spec).eval()
    student.load_state_dict(load_weights(run / CHECKPOINT_NAME))
    planes, dsc = [], np.full(len(cached), np.nan)
    for start in range(0, len(cached), BATCH):
        out = student(cached.frames[start : start + BATCH])
        planes += out.plane.argmax(dim=1).tolist()
        for row, mask in enumerate(out.mask[:, 0] > 0, start):
            if cached.labelled[row, 0]:
                truth = cached.masks[row, 0] > 127
                dsc[row] = 2.0 * float((mask & truth).sum()) / float(mask.sum() + truth.sum())
    return Said(np.asarray(planes), dsc)


def f1_rows(samples: list[Sample], said: list[Said]) -> tuple[list[Sample], Floats]:
    """Returns the frames of the four planes, and a row of sums for each, run after run."""
    kept = [i for i, s in enumerate(samples) if s.outline is None and s.plane in FOUR]
    truth = [plane for i in kept if (plane := samples[i].plane) is not None]
    rows = [confusion_rows(truth, one.plane[kept].tolist()) for one in said]
    return [samples[i] for i in kept], np.concatenate(rows, axis=1)


def gain_of_f1(samples: list[Sample], base: list[Said], other: list[Said]) -> Figure:
    """Returns mean F1 of `other` less mean F1 of `base`."""
    frames, rows = f1_rows(samples, [*base, *other])
    signs = np.asarray([-1.0 / len(base)] * len(base) + [1.0 / len(other)] * len(other))

    def statistic(sums: Floats) -> Floats:
        values = [macro_f1(part, FOUR) for part in np.split(sums, len(signs), axis=-1)]
        return np.asarray(np.tensordot(signs, np.stack(values), axes=1))

    return Resampler.of(frames).figure(rows, statistic)


def gain_of_dsc(samples: list[Sample], base: list[Said], other: list[Said]) -> Figure:
    """Returns mean DSC of `other` less mean DSC of `base`."""
    gain = np.mean([one.dsc for one in other], axis=0) - np.mean([one.dsc for one in base], axis=0)
    kept = np.flatnonzero(~np.isnan(gain))
    return Resampler.of([samples[i] for i in kept]).mean(gain[kept])


def f1_of(samples: list[Sample], one: Said) -> float:
    """Returns macro F1 of one run."""
    return float(macro_f1(f1_rows(samples, [one])[1].sum(axis=0), FOUR))


def main(
    data: Annotated[Path, typer.Argument(help="Folder that holds hc18/ and planes/.")],
    groups: Annotated[list[str], typer.Argument(help="NAME=RUN,RUN,...; the baseline first.")],
    split: Annotated[Split, typer.Option(help="Frames to compare on.")] = Split.TEST,
) -> None:
    """Print a table of the groups."""
    runs = {
        name: [Path(run) for run in folders.split(",")]
        for name, _, folders in (group.partition("=") for group in groups)
    }
    recipe = RunRecord.load(next(iter(runs.values()))[0]).recipe
    samples = [s for s in load_standard(data, recipe.data.names) if s.split is split]
    cached = CachedFrames(samples, recipe.student.size_px)
    said = {name: [said_by(run, cached) for run in group] for name, group in runs.items()}
    base = next(iter(said.values()))
    typer.echo(f"{split.value} frames: {len(samples)}")
    typer.echo("| runs | seeds | plane F1 | against the first | head DSC | against the first |")
    typer.echo("|---|---|---|---|---|---|")
    for name, group in said.items():
        f1 = [f1_of(samples, one) for one in group]
        dsc = [float(np.nanmean(one.dsc)) for one in group]
        gains = gain_of_f1(samples, base, group), gain_of_dsc(samples, base, group)
        cells = (_mean(f1), _signed(gains[0]), _mean(dsc), _signed(gains[1]))
        typer.echo(f"| {name} | {len(group)} | {' | '.join(cells)} |")


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _signed(gain: Figure) -> str:
    low, high = gain.interval or (float("nan"),) * 2
    return f"{gain.value:+.3f} ({low:+.3f} to {high:+.3f}), n {gain.n}"


if __name__ == "__main__":
    typer.run(main)
