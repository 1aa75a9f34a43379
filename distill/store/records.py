"""What a store says of itself, shard by shard and as a whole. Schema version 1."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from distill.teacher.manifest import TeacherRecord
from fetalclip_edge.bundle.fields import Sha256

STORE_FILE = "store.json"
MAX_RECORD_BYTES = 2**30


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StorePlan(_Part):
    """What decides every number of a store, but for the frames."""

    teacher: TeacherRecord
    dim: Annotated[int, Field(ge=1)]
    views_per_frame: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
    frames_per_shard: Annotated[int, Field(ge=1)]


class FrameRecord(_Part):
    """A frame by its key, ``<data set>/<file name>``, and the sha256 of its image file."""

    key: str
    sha256: Sha256


class ShardDigests(_Part):
    """sha256 of the two arrays of a shard."""

    embeddings: Sha256
    views: Sha256


class ShardRecord(_Part):
    """Lies beside a shard that stands: written after its arrays, so that it never lies."""

    schema_version: Literal[1] = 1
    plan: StorePlan
    frames: tuple[FrameRecord, ...]
    digests: ShardDigests


class StoreRecord(_Part):
    """`store.json`: the whole, written once all shards stand."""

    schema_version: Literal[1] = 1
    plan: StorePlan
    frames: Annotated[tuple[FrameRecord, ...], Field(min_length=1)]
    shards: tuple[ShardDigests, ...]

    @model_validator(mode="after")
    def _consistent(self) -> StoreRecord:
        if len(self.shards) != -(-len(self.frames) // self.plan.frames_per_shard):
            raise ValueError(f"{len(self.shards)} shards cannot hold {len(self.frames)} frames")
        if len({frame.key for frame in self.frames}) != len(self.frames):
            raise ValueError("a frame is named twice")
        return self

    def frames_of(self, shard: int) -> tuple[FrameRecord, ...]:
        """Returns the frames of one shard, in the order of its rows."""
        start = shard * self.plan.frames_per_shard
        return self.frames[start : start + self.plan.frames_per_shard]
