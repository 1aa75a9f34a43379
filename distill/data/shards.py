"""Shards of image-text pairs in webdataset form, with an index that knows each one's digest.

A shard is a tar of ``key.png`` (or jpg, jpeg, webp), ``key.txt`` and, where the project wrote it,
``key.json``; open_clip's trainer reads the first two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from distill.record_file import read_record
from fetalclip_edge.bundle.fields import Sha256
from fetalclip_edge.bundle.write import sha256_of
from fetalclip_edge.errors import InputError

INDEX_NAME = "shards.json"
_MAX_INDEX_BYTES = 256 * 2**20
_WRITE_ANEW = "Write the shards anew with `fetalclip-edge shards`"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShardEntry(_Part):
    """One tar file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.tar$")]
    pairs: Annotated[int, Field(ge=1)]
    bytes: Annotated[int, Field(ge=1)]
    sha256: Sha256


class ShardIndex(_Part):
    """`shards.json`: what lies beside it.

    `prompt_size_px` is the side of the model that the pixel spacings in the captions are meant
    for, or null where they name none.
    """

    schema_version: Literal[1]
    data: tuple[str, ...] = Field(description="names of the data sets")
    frames: tuple[str, ...] = Field(description="names of the frames, where they are known")
    prompt_size_px: Annotated[int, Field(ge=16, le=4096)] | None
    shards: Annotated[tuple[ShardEntry, ...], Field(min_length=1)]

    @property
    def pairs(self) -> int:
        """Pairs in all shards."""
        return sum(shard.pairs for shard in self.shards)


@dataclass(frozen=True, slots=True)
class Shards:
    """A folder of shards whose every byte was checked; `open` makes one.

    Attributes:
        folder: where they lie.
        index: what they are.
    """

    folder: Path
    index: ShardIndex

    @classmethod
    def open(cls, folder: Path) -> Shards:
        """Reads the index and checks each shard against its digest.

        Raises:
            InputError: the index or a shard is missing, damaged, or another one.
        """
        index = read_record(
            folder / INDEX_NAME, ShardIndex, max_bytes=_MAX_INDEX_BYTES, remedy=_WRITE_ANEW
        )
        for shard in index.shards:
            _check(folder / shard.name, shard)
        return cls(folder, index)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The tar files, in order."""
        return tuple(self.folder / shard.name for shard in self.index.shards)


def _check(path: Path, entry: ShardEntry) -> None:
    try:
        sha256, size = sha256_of(path)
    except OSError as error:
        raise InputError(
            f"shard {path}", expected="a file", arrived=f"{error.strerror}", remedy=_WRITE_ANEW
        ) from None
    if (sha256, size) != (entry.sha256, entry.bytes):
        raise InputError(
            f"shard {path} is damaged",
            expected=f"{entry.bytes} bytes with sha256 {entry.sha256[:16]}...",
            arrived=f"{size} bytes with {sha256[:16]}...",
            remedy=_WRITE_ANEW,
        )
