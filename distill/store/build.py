"""Runs the teacher once over every view of every frame; a killed run goes on where it was.

Storing a teacher's embeddings with the parameters of the views, so that it runs once, follows
Faghri et al., Reinforce Data, Multiply Impact, ICCV 2023.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill.data.sample import Sample
from distill.record_file import write_record
from distill.store.frames import frame_key, image_digest, read_ahead, sorted_frames
from distill.store.records import FrameRecord, ShardRecord, StorePlan
from distill.store.resume import check_whole, seal, shard_stands
from distill.store.shard import Shard, record_path, write_shard
from distill.teacher.square import source_square
from distill.teacher.teacher import Teacher
from distill.view import View
from fetalclip_edge.errors import SinkError
from fetalclip_edge.sources.images import read_image

FRAMES_PER_SHARD = 128
_VIEWS_A_BATCH = 64


@dataclass(frozen=True, slots=True)
class Built:
    """What a run did.

    Attributes:
        made: frames that the teacher saw in this run.
        kept: frames of this rank that stood already.
        finished: whether the whole store stands; False while another rank is at work.
    """

    made: int
    kept: int
    finished: bool


def build_store(
    teacher: Teacher,
    samples: Sequence[Sample],
    folder: Path,
    *,
    views: int,
    seed: int,
    rank: int = 0,
    world: int = 1,
    frames_per_shard: int = FRAMES_PER_SHARD,
    progress: Callable[[int], None] = lambda frames: None,
) -> Built:
    """Writes the shards of this rank that do not stand yet; the last rank seals the store.

    Shard s belongs to rank s % world. Ranks meet on the file system alone, so they may run at
    one time or one after the other.

    Args:
        teacher: embeds the views.
        samples: the frames, in any order.
        folder: of the store; an unfinished or damaged one is completed.
        views: K views a frame, the first of them the identity.
        seed: of the views.
        rank: of this process.
        world: number of processes.
        frames_per_shard: what a kill can cost at most.
        progress: is told how many frames were made or found, after each batch.

    Raises:
        InputError: the folder holds a store of something else, or an image has changed.
        SinkError: a file cannot be written; the shards that stand stay whole.
    """
    plan = StorePlan(
        teacher=teacher.record,
        dim=teacher.dim,
        views_per_frame=views,
        seed=seed,
        frames_per_shard=frames_per_shard,
    )
    frames = sorted_frames(samples)
    starts = range(0, len(frames), frames_per_shard)
    parts = [frames[start : start + frames_per_shard] for start in starts]
    _make_folder(folder)
    check_whole(folder, plan, frames)
    made = kept = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number in range(rank, len(parts), world):
            if shard_stands(folder, number, plan, parts[number], pool):
                kept += len(parts[number])
                progress(len(parts[number]))
            else:
                _make_shard(teacher, parts[number], folder, number, plan, pool, progress)
                made += len(parts[number])
    return Built(made, kept, seal(folder, plan, len(parts)))


def views_of(key: str, seed: int, count: int) -> list[View]:
    """Returns the views of a frame: the same for every rank, order and resume.

    Args:
        key: of the frame.
        seed: of the store.
        count: K; the first view is the identity.
    """
    words = np.frombuffer(hashlib.sha256(key.encode()).digest(), "<u4").tolist()
    generator = np.random.default_rng([seed, *words])
    return [View.identity(), *(View.random(generator) for _ in range(count - 1))]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(
            f"store {folder}", arrived=error.strerror, remedy="Give another folder"
        ) from None


def _make_shard(
    teacher: Teacher,
    frames: Sequence[Sample],
    folder: Path,
    number: int,
    plan: StorePlan,
    pool: ThreadPoolExecutor,
    progress: Callable[[int], None],
) -> None:
    k = plan.views_per_frame
    views = [views_of(frame_key(frame), plan.seed, k) for frame in frames]
    inputs: list[Tensor] = []
    rows: list[Tensor] = []
    records = []
    for frame, own, (square, digest) in zip(
        frames, views, read_ahead(_read, frames, pool), strict=True
    ):
        source = torch.from_numpy(square)[None].to(teacher.device)
        inputs += [teacher.to_input(view.apply(source)) for view in own]
        records.append(FrameRecord(key=frame_key(frame), sha256=digest))
        if len(inputs) >= _VIEWS_A_BATCH or frame is frames[-1]:
            batches = torch.split(torch.cat(inputs), _VIEWS_A_BATCH)
            rows += [teacher.embed_inputs(batch) for batch in batches]
            progress(len(inputs) // k)
            inputs = []
    embeddings = torch.cat(rows).numpy().astype(np.float16)
    shard = Shard(
        embeddings=embeddings.reshape(len(frames), k, plan.dim),
        views=np.stack([[view.row() for view in own] for own in views]),
    )
    digests = write_shard(folder, number, shard)
    write_record(
        record_path(folder, number),
        ShardRecord(plan=plan, frames=tuple(records), digests=digests),
    )


def _read(frame: Sample) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], str]:
    return source_square(read_image(frame.image)), image_digest(frame)
