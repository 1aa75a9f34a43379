"""Writes shards of image-text pairs; a folder of them appears whole or not at all."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import webdataset
from webdataset.tariterators import base_plus_ext

from distill.data.pairs import Pair, PairSpec, training_pairs
from distill.data.sample import Sample, Split
from distill.data.shards import INDEX_NAME, ShardEntry, ShardIndex, Shards
from distill.record_file import write_record
from fetalclip_edge.bundle.write import sha256_of
from fetalclip_edge.errors import InputError, SinkError, UsageError

PAIRS_PER_SHARD = 256
_PICTURES = frozenset({"png", "jpg", "jpeg", "webp"})

Progress = Callable[[Iterable[Pair]], Iterable[Pair]]
"""Passes the pairs through, showing how many there were."""


def write_shards(
    samples: Sequence[Sample],
    spec: PairSpec,
    folder: Path,
    progress: Progress = iter,
) -> Shards:
    """Writes the pairs of the training frames; frames of other splits never enter.

    Args:
        samples: every frame, with its split.
        spec: how pairs are made of them.
        folder: a new or empty folder.
        progress: watches the pairs pass.

    Raises:
        UsageError: the folder holds something.
        SinkError: it cannot be written; nothing of it is left then.
        InputError: a frame cannot be read.
        CheckFailedError: a group stands in two splits.
    """
    target = folder.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"--output {folder}", expected="a new or empty folder", arrived="files")
    stage = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        _fill(stage, progress(training_pairs(samples, spec)))
        trained_on = [sample for sample in samples if sample.split is Split.TRAIN]
        index = ShardIndex(
            schema_version=1,
            data=tuple(sorted({sample.data_set for sample in trained_on})),
            frames=tuple(sorted(sample.image.name for sample in trained_on)),
            prompt_size_px=spec.prompt_size_px,
            shards=tuple(_entry(path) for path in sorted(stage.glob("*.tar"))),
        )
        write_record(stage / INDEX_NAME, index)
        stage.chmod(0o755)  # mkdtemp keeps others out
        stage.replace(target)
    except OSError as error:
        raise SinkError(
            f"shards {folder} cannot be written",
            arrived=error.strerror or type(error).__name__,
            remedy="Check free space and permissions",
        ) from None
    finally:
        if stage is not None:
            shutil.rmtree(stage, ignore_errors=True)
    return Shards(target, index)


def index_own_shards(folder: Path, data: Sequence[str], prompt_size_px: int | None) -> Shards:
    """Writes the index of tar files that someone else packed; each one is read from end to end.

    Args:
        folder: holds them.
        data: names of the data sets in them.
        prompt_size_px: see `ShardIndex`.

    Raises:
        InputError: no shard, or one without pairs, damaged, or with half a pair.
        SinkError: the index cannot be written.
    """
    paths = sorted(folder.glob("*.tar"))
    if not paths:
        raise InputError(f"shards {folder}", expected="*.tar files", arrived="none")
    index = ShardIndex(
        schema_version=1,
        data=tuple(data),
        frames=(),
        prompt_size_px=prompt_size_px,
        shards=tuple(_entry(path) for path in paths),
    )
    write_record(folder / INDEX_NAME, index)
    return Shards(folder, index)


def _fill(folder: Path, pairs: Iterable[Pair]) -> None:
    for number, batch in enumerate(_batches(pairs)):
        with (
            (folder / f"shard-{number:06d}.tar").open("wb") as file,
            # one time for all, so that the same pairs give the same bytes
            webdataset.TarWriter(file, encoder=False, mtime=0.0) as tar,
        ):
            for pair in batch:
                content = {"png": pair.png, "txt": pair.text.encode(), "json": pair.record}
                tar.write({"__key__": pair.key, **content})


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    batch: list[Pair] = []
    for pair in pairs:
        batch.append(pair)
        if len(batch) == PAIRS_PER_SHARD:
            yield batch
            batch = []
    if batch:
        yield batch


def _entry(path: Path) -> ShardEntry:
    sha256, size = sha256_of(path)
    return ShardEntry(name=path.name, pairs=_count_pairs(path), bytes=size, sha256=sha256)


def _count_pairs(path: Path) -> int:
    """Returns the pairs of a shard; `InputError` where a key has no picture or no text."""
    parts: dict[str, set[str]] = {}
    try:
        with tarfile.open(path) as tar:
            for member in tar:
                key, extension = base_plus_ext(member.name)
                if key is not None:
                    parts.setdefault(key, set()).add(extension.lower())
    except tarfile.TarError as error:
        raise InputError(f"shard {path}", expected="a whole tar file", arrived=f"{error}") from None
    half = [key for key, found in parts.items() if "txt" not in found or not found & _PICTURES]
    if half or not parts:
        raise InputError(
            f"shard {path}",
            expected="KEY.txt and one picture KEY.png, .jpg, .jpeg or .webp for each key",
            arrived=f"only {', '.join(sorted(parts[half[0]]))} for {half[0]}"
            if half
            else "nothing",
        )
    return len(parts)
