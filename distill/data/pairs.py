"""The image-text pairs of training frames: one view of a frame, and a caption that is true of it.

A view that is magnified has a smaller pixel spacing, and the caption says so: what a model can
learn from the pair, age and spacing against size, stays true under augmentation.
"""

from __future__ import annotations

import json
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from distill.data.captions import FrameFacts, caption, prompt_spacing_mm
from distill.data.planes import PLANES
from distill.data.sample import Sample, Split, check_no_leak
from distill.view import View
from fetalclip_edge.errors import InputError
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox, to_gray
from fetalclip_edge.sources.images import read_image

MAX_SIDE_PX = 256
"""A picture is reduced to this side: above the 224 pixels of FetalCLIP, and quick to decode."""

_KEPT_SQUARES = 2048
"""At most 128 MiB; the views of a frame are spread over the whole set, and reading it is slow."""

_MOST_VIEWS = 4
"""A rare plane is seen at most this often for each time that the commonest one is."""


@dataclass(frozen=True, slots=True)
class PairSpec:
    """How pairs are made of frames.

    Attributes:
        views: pairs of a frame of the commonest plane; rarer planes get more.
        prompt_size_px: side of the model that will learn from the captions.
        seed: of every view and caption.
    """

    views: int = 4
    prompt_size_px: int = 224
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """One entry of a shard.

    Attributes:
        key: unique name, without dots or slashes.
        png: the square, an 8-bit gray PNG.
        text: the caption.
        record: what was known and what was done, as JSON.
    """

    key: str
    png: bytes
    text: str
    record: bytes


def training_pairs(samples: Sequence[Sample], spec: PairSpec) -> Iterator[Pair]:
    """Yields the pairs of the training frames, shuffled; no other frame is ever read.

    Raises:
        CheckFailedError: a group stands in two splits.
        InputError: there is no training frame.
    """
    check_no_leak(list(samples))
    frames = [sample for sample in samples if sample.split is Split.TRAIN]
    if not frames:
        raise InputError("training frames", expected="at least one", arrived="none")
    counts = views_per_frame(frames, spec.views)
    tasks = [(i, k) for i, count in enumerate(counts) for k in range(count)]
    order = np.random.default_rng(spec.seed).permutation(len(tasks))
    for i, k in (tasks[o] for o in order):
        yield make_pair(frames[i], k, spec)


def views_per_frame(frames: Sequence[Sample], views: int) -> list[int]:
    """Returns how many pairs each frame gives: more where its data set and plane are rare.

    The share of a kind grows with the root of its size, as in the student's sampler.
    """
    kinds = Counter((frame.data_set, frame.plane) for frame in frames)
    most = max(kinds.values())
    return [
        round(views * min(_MOST_VIEWS, math.sqrt(most / kinds[frame.data_set, frame.plane])))
        for frame in frames
    ]


def make_pair(sample: Sample, k: int, spec: PairSpec) -> Pair:
    """Returns view `k` of a frame with its caption; the same arguments give the same bytes."""
    name = f"{sample.data_set}/{sample.image.name}"
    generator = np.random.default_rng([spec.seed, zlib.crc32(name.encode()), k])
    view = View.identity() if k == 0 else View.random(generator)
    square, size_hw = _square(sample.image)
    facts = FrameFacts(
        plane=None if sample.plane is None else PLANES[sample.plane],
        hc_mm=sample.hc_mm,
        spacing_mm=sample.spacing_mm
        and prompt_spacing_mm(sample.spacing_mm, size_hw, spec.prompt_size_px, view.scale),
    )
    record = {
        "data_set": sample.data_set,
        "frame": sample.image.name,
        "group": sample.group,
        "split": sample.split.value,
        "plane": facts.plane,
        "hc_mm": facts.hc_mm,
        "spacing_mm": facts.spacing_mm,
        "view": view.row().tolist(),
    }
    return Pair(
        key=f"{sample.data_set}-{sample.image.stem}-{k}".replace(".", "_"),
        png=_png(view.apply(torch.from_numpy(square)[None])[0].numpy()),
        text=caption(facts, generator),
        record=json.dumps(record).encode(),
    )


@lru_cache(maxsize=_KEPT_SQUARES)
def _square(image: Path) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Returns the frame on a square, reduced, and the size (H, W) that it had."""
    gray = to_gray(read_image(image))
    size_hw = (gray.shape[0], gray.shape[1])
    side = min(MAX_SIDE_PX, max(size_hw))
    return Letterbox(Roi.full(size_hw), side).forward(gray), size_hw


def _png(pixels: NDArray[np.uint8]) -> bytes:
    done, data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise InputError("picture of a pair", expected="one that PNG can hold")
    return data.tobytes()
