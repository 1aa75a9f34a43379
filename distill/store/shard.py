"""The arrays of one shard on disk: written in one step each, opened only where they are whole."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from distill.record_file import write_bytes
from distill.store.records import ShardDigests, StorePlan
from distill.view import ROW_LENGTH
from fetalclip_edge.bundle.write import sha256_of
from fetalclip_edge.errors import InputError

_Number = TypeVar("_Number", np.float16, np.float32)


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows of consecutive frames.

    Attributes:
        embeddings: float16 (n, K, D), L2-normalised before rounding.
        views: float32 (n, K, 7), rows of `View`.
    """

    embeddings: NDArray[np.float16]
    views: NDArray[np.float32]


def embeddings_path(folder: Path, shard: int) -> Path:
    """Returns where the embeddings of a shard lie."""
    return folder / f"embeddings-{shard:05d}.npy"


def views_path(folder: Path, shard: int) -> Path:
    """Returns where the views of a shard lie."""
    return folder / f"views-{shard:05d}.npy"


def record_path(folder: Path, shard: int) -> Path:
    """Returns where the record of a shard lies."""
    return folder / f"shard-{shard:05d}.json"


def write_shard(folder: Path, number: int, shard: Shard) -> ShardDigests:
    """Writes both arrays and returns their digests; `SinkError` where that fails."""
    embeddings, views = _npy(shard.embeddings), _npy(shard.views)
    write_bytes(embeddings_path(folder, number), embeddings)
    write_bytes(views_path(folder, number), views)
    return ShardDigests(embeddings=sha256_of(embeddings)[0], views=sha256_of(views)[0])


def check_shard(folder: Path, number: int, digests: ShardDigests) -> None:
    """Raises `InputError` unless both files are there with these digests."""
    for path, wanted in (
        (embeddings_path(folder, number), digests.embeddings),
        (views_path(folder, number), digests.views),
    ):
        try:
            arrived = sha256_of(path)[0]
        except OSError as error:
            arrived = error.strerror or type(error).__name__
        if arrived != wanted:
            raise InputError(
                f"{path} is missing, altered or damaged",
                expected=f"sha256 {wanted}",
                arrived=arrived,
                remedy="Run `fetalclip-edge embed` on this store again: it makes this shard anew",
            )


def open_shard(
    folder: Path, number: int, digests: ShardDigests, plan: StorePlan, frames: int
) -> Shard:
    """Returns a shard, memory-mapped.

    Args:
        folder: of the store.
        number: of the shard.
        digests: of its files.
        plan: of the store.
        frames: n, how many frames it holds.

    Raises:
        InputError: a file is damaged, or has another shape or type.
    """
    check_shard(folder, number, digests)
    rows = (frames, plan.views_per_frame)
    return Shard(
        embeddings=_map(embeddings_path(folder, number), np.float16, (*rows, plan.dim)),
        views=_map(views_path(folder, number), np.float32, (*rows, ROW_LENGTH)),
    )


def _npy(array: NDArray[np.float16] | NDArray[np.float32]) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def _map(path: Path, kind: type[_Number], shape: tuple[int, ...]) -> NDArray[_Number]:
    try:
        array: NDArray[_Number] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}", expected="an .npy file", arrived=str(error)) from None
    if array.dtype != kind or array.shape != shape:
        raise InputError(
            f"{path}",
            expected=f"{np.dtype(kind)} {shape}",
            arrived=f"{array.dtype} {array.shape}",
        )
    return array
