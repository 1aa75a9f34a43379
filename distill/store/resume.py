"""What stands of a store already, whether it is what is asked for, and when it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from distill.data.sample import Sample
from distill.record_file import read_record, write_record
from distill.store.frames import check_unchanged, frame_key
from distill.store.records import (
    MAX_RECORD_BYTES,
    STORE_FILE,
    FrameRecord,
    ShardRecord,
    StorePlan,
    StoreRecord,
)
from distill.store.shard import check_shard, record_path
from fetalclip_edge.errors import InputError


def check_whole(folder: Path, plan: StorePlan, frames: Sequence[Sample]) -> None:
    """Refuses a finished store of another plan or of other frames."""
    if not (folder / STORE_FILE).is_file():
        return
    remedy = f"Delete {folder / STORE_FILE}: it is written anew from the shards that are whole"
    record = read_record(
        folder / STORE_FILE, StoreRecord, max_bytes=MAX_RECORD_BYTES, remedy=remedy
    )
    _check_same(folder, record.plan, plan, record.frames, frames)


def _check_same(
    folder: Path,
    stored: StorePlan,
    plan: StorePlan,
    stored_frames: Sequence[FrameRecord],
    frames: Sequence[Sample],
) -> None:
    for name in StorePlan.model_fields:
        there, wanted = getattr(stored, name), getattr(plan, name)
        if there != wanted:
            raise _other(folder, f"{name} {_shown(there)}", _shown(wanted))
    keys, wanted_keys = {f.key for f in stored_frames}, {frame_key(s) for s in frames}
    if keys != wanted_keys:
        first = min(keys ^ wanted_keys)
        whose = "which it lacks" if first in wanted_keys else "which is not among those given"
        raise _other(folder, f"{len(keys)} frames", f"{len(wanted_keys)}; {first}, {whose}")


def _shown(value: object) -> str:
    return str(getattr(value, "space", value))


def _other(folder: Path, there: str, wanted: str) -> InputError:
    return InputError(
        f"store {folder} was made of something else",
        expected=there,
        arrived=wanted,
        remedy="Give what it was begun with, or another --store folder",
    )


def shard_stands(
    folder: Path,
    number: int,
    plan: StorePlan,
    frames: Sequence[Sample],
    pool: ThreadPoolExecutor,
) -> bool:
    """Returns whether a shard stands whole; a damaged one is to be made anew."""
    if not record_path(folder, number).is_file():
        return False
    record = _read_shard_record(folder, number)
    if record is None:
        return False
    _check_same(folder, record.plan, plan, record.frames, frames)
    for _ in pool.map(check_unchanged, frames, record.frames):
        pass
    return _is_whole(folder, number, record)


def _read_shard_record(folder: Path, number: int) -> ShardRecord | None:
    try:
        return read_record(
            record_path(folder, number), ShardRecord, max_bytes=MAX_RECORD_BYTES, remedy=""
        )
    except InputError:
        return None


def _is_whole(folder: Path, number: int, record: ShardRecord) -> bool:
    try:
        check_shard(folder, number, record.digests)
    except InputError:
        return False
    return True


def seal(folder: Path, plan: StorePlan, shards: int) -> bool:
    """Writes the store's record if every shard stands whole; returns whether it does.

    Whichever rank comes last finds all of them. Two that come at once write the same bytes.
    """
    records = []
    for number in range(shards):
        record = _read_shard_record(folder, number)
        if record is None or record.plan != plan or not _is_whole(folder, number, record):
            return False
        records.append(record)
    whole = StoreRecord(
        plan=plan,
        frames=tuple(frame for record in records for frame in record.frames),
        shards=tuple(record.digests for record in records),
    )
    write_record(folder / STORE_FILE, whole)
    for part in folder.glob(".*-?????.*.part"):  # left by a kill; no rank writes a shard now
        part.unlink(missing_ok=True)
    return True
