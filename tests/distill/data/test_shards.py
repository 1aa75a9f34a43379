"""Shards: only training frames, whole or not at all, and a damaged one is found."""

from __future__ import annotations

import io
import itertools
import json
import os
import resource
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import webdataset

from distill.data import write_shards as writing
from distill.data.pairs import MAX_SIDE_PX, PairSpec, training_pairs, views_per_frame
from distill.data.sample import Sample, Split
from distill.data.shards import INDEX_NAME, Shards
from distill.data.standard import load_standard
from distill.data.write_shards import index_own_shards, write_shards
from distill.view import View
from fetalclip_edge.errors import CheckFailedError, ImageError, InputError, SinkError, UsageError
from tests.distill.data.frames import made_up_samples

# webdataset leaves the closing of its files to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:.*FileIO:pytest.PytestUnraisableExceptionWarning")

SPEC = PairSpec(views=3, prompt_size_px=32, seed=5)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    folder = tmp_path / "frames"
    folder.mkdir()
    return made_up_samples(folder)


@pytest.fixture
def shards(samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shards:
    monkeypatch.setattr(writing, "PAIRS_PER_SHARD", 5)
    return write_shards(samples, SPEC, tmp_path / "shards")


def _read(shards: Shards) -> list[dict[str, bytes]]:
    paths = [str(path) for path in shards.paths]
    return list(webdataset.WebDataset(paths, shardshuffle=False))


def test_webdataset_reads_what_was_written(shards: Shards, samples: list[Sample]) -> None:
    read = _read(Shards.open(shards.folder))
    assert len(read) == shards.index.pairs == 4 * 3
    assert [shard.pairs for shard in shards.index.shards] == [5, 5, 2]
    assert len({pair["__key__"] for pair in read}) == len(read)
    for pair in read:
        square = cv2.imdecode(np.frombuffer(pair["png"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert square is not None
        assert square.shape == (90, 90)  # padded to the longer side, never enlarged
        record = json.loads(pair["json"])
        assert pair["txt"].decode()
        view = View.from_row(np.asarray(record["view"], np.float32))
        if record["hc_mm"] is not None:
            # what a pixel shows shrinks as the view is magnified: 90 / 32 * 0.5 mm at first
            assert record["spacing_mm"] * view.scale == pytest.approx(90 / 32 * 0.5, rel=1e-6)


def test_only_training_frames_enter(shards: Shards, samples: list[Sample]) -> None:
    trained = {sample.image.name for sample in samples if sample.split is Split.TRAIN}
    records = [json.loads(pair["json"]) for pair in _read(shards)]
    assert {record["frame"] for record in records} == trained == set(shards.index.frames)
    assert {record["split"] for record in records} == {"train"}


def test_held_out_frames_are_not_even_read(samples: list[Sample], tmp_path: Path) -> None:
    for sample in samples:
        if sample.split is not Split.TRAIN:
            sample.image.unlink()
    assert write_shards(samples, SPEC, tmp_path / "shards").index.pairs == 12


def test_a_leaking_split_writes_nothing(samples: list[Sample], tmp_path: Path) -> None:
    leak = replace(samples[-2], group=samples[0].group)
    with pytest.raises(CheckFailedError, match="group 0 in train and test"):
        write_shards([*samples, leak], SPEC, tmp_path / "shards")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_the_same_seed_gives_the_same_bytes(samples: list[Sample], tmp_path: Path) -> None:
    one, same = (write_shards(samples, SPEC, tmp_path / name) for name in ("one", "same"))
    other = write_shards(samples, replace(SPEC, seed=6), tmp_path / "other")
    assert one.index == same.index
    assert one.index.shards[0].sha256 != other.index.shards[0].sha256


def test_rare_planes_are_seen_more_often(samples: list[Sample]) -> None:
    frames = [replace(samples[0]) for _ in range(16)] + [samples[1]]
    assert views_per_frame(frames, 2) == [2] * 16 + [8]  # the root of 16, and at most 4 times


def test_large_frames_are_reduced(samples: list[Sample], tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    assert cv2.imwrite(str(large), np.full((300, 800), 99, np.uint8))
    pair = next(training_pairs([replace(samples[0], image=large)], SPEC))
    square = cv2.imdecode(np.frombuffer(pair.png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert square is not None
    assert square.shape == (MAX_SIDE_PX, MAX_SIDE_PX)


@pytest.mark.parametrize("fault", ["bit", "cut", "gone", "other index"])
def test_a_damaged_shard_is_found(shards: Shards, fault: str) -> None:
    path = shards.paths[1]
    data = bytearray(path.read_bytes())
    if fault == "bit":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif fault == "cut":
        path.write_bytes(data[:-1024])
    elif fault == "gone":
        path.unlink()
    else:
        index = shards.folder / INDEX_NAME
        index.write_text(index.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(InputError, match=INDEX_NAME if fault == "other index" else path.name):
        Shards.open(shards.folder)


def test_a_frame_that_cannot_be_read_leaves_nothing(samples: list[Sample], tmp_path: Path) -> None:
    samples[2].image.write_bytes(samples[2].image.read_bytes()[:100])
    with pytest.raises(ImageError):
        write_shards(samples, SPEC, tmp_path / "shards")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


@contextmanager
def small_disk() -> Iterator[None]:
    """No file may grow beyond 8 KiB; the system answers as a full disk does.

    No fixture: the limit holds for the log that pytest writes between a test and its teardown.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing(samples: list[Sample], tmp_path: Path) -> None:
    with small_disk(), pytest.raises(SinkError, match="cannot be written"):
        write_shards(samples, SPEC, tmp_path / "shards")
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_a_folder_with_files_is_left_alone(shards: Shards, samples: list[Sample]) -> None:
    with pytest.raises(UsageError, match="new or empty"):
        write_shards(samples, SPEC, shards.folder)
    assert Shards.open(shards.folder).index == shards.index


def _tar(path: Path, names: list[str]) -> None:
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"abc"))


def test_own_shards_are_indexed(tmp_path: Path) -> None:
    _tar(tmp_path / "a-0.tar", ["1.jpg", "1.txt", "2.txt", "2.png", "2.json"])
    own = index_own_shards(tmp_path, ("mine",), 224)
    assert (own.index.pairs, own.index.data, own.index.frames) == (2, ("mine",), ())
    assert Shards.open(tmp_path).index == own.index


@pytest.mark.parametrize(
    ("names", "message"),
    [(["1.jpg", "2.jpg", "2.txt"], "only jpg for 1"), ([], "nothing"), (None, r"\*.tar files")],
)
def test_own_shards_without_pairs_are_refused(
    names: list[str] | None, message: str, tmp_path: Path
) -> None:
    if names is not None:
        _tar(tmp_path / "a-0.tar", names)
    with pytest.raises(InputError, match=message):
        index_own_shards(tmp_path, ("mine",), None)
    assert not (tmp_path / INDEX_NAME).exists()


def test_an_own_shard_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a-0.tar"
    _tar(path, ["1.jpg", "1.txt"])
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match="whole tar file"):
        index_own_shards(tmp_path, ("mine",), None)


def test_real_frames_that_are_held_out_stay_out(tmp_path: Path) -> None:
    data = os.environ.get("FETALCLIP_EDGE_DATA")
    if not data:
        pytest.skip("FETALCLIP_EDGE_DATA is not set: real frames are missing")
    samples = load_standard(Path(data))
    held_out = {sample.image.name for sample in samples if sample.split is not Split.TRAIN}
    some = list(itertools.islice(samples, 0, None, 25))
    shards = write_shards(some, PairSpec(views=1), tmp_path / "shards")
    frames = {json.loads(pair["json"])["frame"] for pair in _read(shards)}
    assert frames
    assert not frames & held_out
    assert held_out & {sample.image.name for sample in some}
