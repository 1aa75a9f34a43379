"""The frames of a store: their keys, their digests, and reading them a little ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

from distill.data.sample import Sample
from distill.store.records import FrameRecord
from fetalclip_edge.bundle.write import sha256_of
from fetalclip_edge.errors import ImageError, InputError

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_AHEAD = 16


def frame_key(sample: Sample) -> str:
    """Returns ``<data set>/<file name>``."""
    return f"{sample.data_set}/{sample.image.name}"


def sorted_frames(samples: Sequence[Sample]) -> list[Sample]:
    """Returns the frames in the order of their keys, whatever order they came in.

    Raises:
        InputError: there is none, or two share a key.
    """
    frames = sorted(samples, key=frame_key)
    if not frames:
        raise InputError("frames for a store", expected="at least one", arrived="none")
    for one, two in pairwise(frames):
        if frame_key(one) == frame_key(two):
            raise InputError(
                f"frame {frame_key(one)}",
                expected="file names that differ within a data set",
                arrived=f"{one.image} and {two.image}",
            )
    return frames


def image_digest(sample: Sample) -> str:
    """Returns the sha256 of a frame's image file; `ImageError` where it cannot be read."""
    try:
        return sha256_of(sample.image)[0]
    except OSError as error:
        arrived = error.strerror or type(error).__name__
        raise ImageError(f"{sample.image}", expected="an image", arrived=arrived) from None


def check_unchanged(sample: Sample, record: FrameRecord) -> None:
    """Raises `InputError` if a frame is not the one that the teacher saw."""
    if (arrived := image_digest(sample)) != record.sha256:
        raise InputError(
            f"image {sample.image} has changed since the teacher saw it",
            expected=f"sha256 {record.sha256}",
            arrived=arrived,
            remedy="Put the old image back, or make a new store in another folder",
        )


def read_ahead(
    read: Callable[[_Item], _Result], items: Iterable[_Item], pool: ThreadPoolExecutor
) -> Iterator[_Result]:
    """Yields `read(item)` in order while the pool reads the next few; memory stays bounded."""
    waiting: deque[Future[_Result]] = deque()
    for item in items:
        waiting.append(pool.submit(read, item))
        if len(waiting) > _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
