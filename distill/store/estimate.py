"""What a store would take: bytes, and hours extrapolated from a short measurement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from distill.data.sample import Sample
from distill.store.build import views_of
from distill.store.frames import frame_key
from distill.teacher.square import source_square
from distill.teacher.teacher import Teacher
from distill.view import ROW_LENGTH
from fetalclip_edge.sources.images import read_image

FRAMES_MEASURED = 16
_HEADER_BYTES = 128


@dataclass(frozen=True, slots=True)
class StoreEstimate:
    """A store of so many frames.

    Attributes:
        frames: number of frames.
        views: K views a frame.
        dim: length of an embedding.
        frames_per_shard: frames in each shard but the last.
    """

    frames: int
    views: int
    dim: int
    frames_per_shard: int

    @property
    def array_bytes(self) -> int:
        """Bytes of all arrays: float16 embeddings, float32 views, a header of 128 each."""
        shards = -(-self.frames // self.frames_per_shard)
        row = 2 * self.dim + 4 * ROW_LENGTH
        return self.frames * self.views * row + 2 * shards * _HEADER_BYTES

    def hours(self, views_per_s: float) -> float:
        """Returns the hours at a measured rate of views, on as many machines as it was measured."""
        return self.frames * self.views / views_per_s / 3600.0


def measure_rate(teacher: Teacher, samples: Sequence[Sample], views: int) -> float:
    """Returns views per second on this machine, from reading a file to its embedding.

    One frame warms up; then up to 16 frames are timed, one after the other.

    Args:
        teacher: runs as it would for the store.
        samples: at least one frame.
        views: K views a frame.
    """
    frames = list(samples[:FRAMES_MEASURED])
    _embed(teacher, frames[:1], views)
    began = time.perf_counter()
    _embed(teacher, frames, views)
    return len(frames) * views / (time.perf_counter() - began)


def _embed(teacher: Teacher, frames: Sequence[Sample], views: int) -> None:
    for frame in frames:
        square = torch.from_numpy(source_square(read_image(frame.image)))[None]
        square = square.to(teacher.device)
        own = views_of(frame_key(frame), 0, views)
        teacher.embed_inputs(torch.cat([teacher.to_input(view.apply(square)) for view in own]))
