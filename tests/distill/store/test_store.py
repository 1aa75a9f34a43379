"""The store: what it holds, that the teacher runs once, and what it refuses."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from distill.data.sample import Sample, Split
from distill.store.build import views_of
from distill.store.estimate import StoreEstimate, measure_rate
from distill.store.teacher_store import TeacherStore
from distill.teacher.square import source_square
from distill.view import View
from fetalclip_edge.errors import ImageError, InputError, SinkError
from fetalclip_edge.sources.images import read_image
from tests.distill.store.builder import (
    SHARD,
    VIEWS,
    CountedTeacher,
    build,
    counted_teacher,
    write_frames,
)

ROOT = Path(__file__).parents[3]
FRAMES = 10  # two whole shards and a half


@pytest.fixture
def teacher(tmp_path: Path) -> CountedTeacher:
    return counted_teacher(tmp_path / "teacher")


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return write_frames(tmp_path / "frames", FRAMES)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_it_holds_the_teachers_word_on_each_stored_view(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    built = build(teacher, samples, tmp_path / "store")
    assert (built.made, built.kept, built.finished) == (FRAMES, 0, True)
    store = TeacherStore.open(tmp_path / "store")
    assert (len(store), store.dim, store.views_per_frame) == (FRAMES, 16, VIEWS)
    assert store.teacher == teacher.record
    for sample in (samples[0], samples[5], samples[9]):
        i = store.index(sample)
        assert store.view(i, 0) == View.identity()
        square = torch.from_numpy(source_square(read_image(sample.image)))[None]
        for k in range(VIEWS):
            seen = store.view(i, k).apply(square)[0].numpy()
            wanted = teacher.embed([seen])[0].numpy()
            found = store.embedding(i, k)
            assert found.dtype == np.float16
            np.testing.assert_allclose(found, wanted, atol=1e-3)
        assert store.view(i, 1) != store.view(i, 2)
    assert store.view(0, 1) != store.view(1, 1)


def test_a_second_run_asks_the_teacher_nothing(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    build(teacher, samples, tmp_path / "store")
    assert teacher.seen == FRAMES * VIEWS
    before = contents(tmp_path / "store")
    again = build(teacher, list(reversed(samples)), tmp_path / "store")
    assert (again.made, again.kept, again.finished) == (0, FRAMES, True)
    assert teacher.seen == FRAMES * VIEWS
    assert contents(tmp_path / "store") == before


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    frames = 120
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.distill.store.builder", str(tmp_path), str(frames)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    third, deadline = tmp_path / "store" / "shard-00002.json", time.monotonic() + 60
    while not third.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    with pytest.raises(InputError, match=r"store\.json.*fetalclip-edge embed"):
        TeacherStore.open(tmp_path / "store")

    teacher = counted_teacher(tmp_path / "teacher")
    samples = write_frames(tmp_path / "frames", frames)
    built = build(teacher, samples, tmp_path / "store")
    assert built.kept >= 3 * SHARD
    assert built.made > 0
    assert teacher.seen == built.made * VIEWS
    build(teacher, samples, tmp_path / "unbroken")
    broken, unbroken = contents(tmp_path / "store"), contents(tmp_path / "unbroken")
    assert broken == unbroken  # and what the kill left half-written is gone


def test_ranks_share_the_work_and_the_last_one_seals(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    one = build(teacher, samples, tmp_path / "store", rank=1, world=2)
    assert (one.made, one.finished) == (SHARD, False)  # the second of three shards
    with pytest.raises(InputError, match="fetalclip-edge embed"):
        TeacherStore.open(tmp_path / "store")
    zero = build(teacher, samples, tmp_path / "store", rank=0, world=2)
    assert (zero.made, zero.finished) == (FRAMES - SHARD, True)
    build(teacher, samples, tmp_path / "alone")
    assert contents(tmp_path / "store") == contents(tmp_path / "alone")


@pytest.mark.parametrize("name", ["embeddings-00001.npy", "views-00001.npy"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_shard_is_refused_when_opened_and_made_anew_when_built(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample], name: str, damage: str
) -> None:
    build(teacher, samples, tmp_path / "store")
    before, path = contents(tmp_path / "store"), tmp_path / "store" / name
    data = bytearray(before[name])
    if damage == "gone":
        path.unlink()
    else:
        data[-3] ^= 1
        path.write_bytes(data if damage == "flip" else data[:-3])
    with pytest.raises(InputError, match=f"{name} is missing, altered or damaged"):
        TeacherStore.open(tmp_path / "store")
    built = build(teacher, samples, tmp_path / "store")
    assert (built.made, built.kept) == (SHARD, FRAMES - SHARD)
    assert contents(tmp_path / "store") == before


def test_a_damaged_record_of_a_shard_is_made_anew(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    build(teacher, samples, tmp_path / "store")
    (tmp_path / "store" / "shard-00000.json").write_text("{")
    assert build(teacher, samples, tmp_path / "store").made == SHARD


def test_arrays_of_another_shape_are_refused_though_their_digest_fits(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    build(teacher, samples, tmp_path / "store")
    path = tmp_path / "store" / "store.json"
    record = json.loads(path.read_text())
    record["plan"]["dim"] = 17
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"expected float16 \(4, 3, 17\), got float16"):
        TeacherStore.open(tmp_path / "store")
    record["shards"].pop()
    path.write_text(json.dumps(record))
    with pytest.raises(InputError, match="2 shards cannot hold 10 frames"):
        TeacherStore.open(tmp_path / "store")


def test_an_image_that_changed_is_refused_by_name(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    build(teacher, samples, tmp_path / "store")
    cv2.imwrite(str(samples[6].image), np.zeros((44, 60), np.uint8))
    with pytest.raises(InputError, match=r"006\.png has changed since the teacher saw it"):
        build(teacher, samples, tmp_path / "store")
    store = TeacherStore.open(tmp_path / "store")
    store.check_images(samples[:6])
    with pytest.raises(InputError, match=r"006\.png has changed"):
        store.check_images(samples)


@pytest.mark.parametrize("finished", [True, False])
def test_a_store_of_something_else_is_refused(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample], finished: bool
) -> None:
    store = tmp_path / "store"
    build(teacher, samples, store)
    if not finished:
        (store / "store.json").unlink()
    before = contents(store)
    remedy = "begun with, or another --store folder"
    with pytest.raises(InputError, match=f"expected seed 7, got 8.*{remedy}"):
        build(teacher, samples, store, seed=8)
    with pytest.raises(InputError, match=f"views_per_frame 3, got 2.*{remedy}"):
        build(teacher, samples, store, views=2)
    other = counted_teacher(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match=f"teacher {teacher.space}, got {other.space}.*{remedy}"):
        build(other, samples, store)
    with pytest.raises(InputError, match=r"made/009\.png, which is not among those given"):
        build(teacher, samples[:9], store)
    extra = [*samples, *write_frames(tmp_path / "more", 11)[10:]]
    with pytest.raises(InputError, match=r"made/010\.png, which it lacks"):
        build(teacher, extra, store)
    assert contents(store) == before
    assert teacher.seen == FRAMES * VIEWS


def test_frames_must_be_told_apart_and_readable(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    twins = [*samples, *write_frames(tmp_path / "twins", 1)]
    with pytest.raises(InputError, match=r"made/000\.png: expected file names that differ"):
        build(teacher, twins, tmp_path / "store")
    with pytest.raises(InputError, match="at least one"):
        build(teacher, [], tmp_path / "store")
    samples[3].image.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"003\.png"):
        build(teacher, samples, tmp_path / "store")
    samples[3].image.unlink()
    with pytest.raises(ImageError, match=r"003\.png"):
        build(teacher, samples, tmp_path / "store")


def test_a_frame_that_is_not_held_is_named(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    build(teacher, samples, tmp_path / "store")
    store = TeacherStore.open(tmp_path / "store")
    with pytest.raises(InputError, match=r"made/x\.png.*none of its 10"):
        store.index(Sample(Path("x.png"), "made", "g", Split.TRAIN))


def test_a_full_disk_leaves_whole_shards_and_one_error(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, hard))  # an embeddings file takes 512
        with pytest.raises(SinkError, match=r"embeddings-00000\.npy cannot be written"):
            build(teacher, samples, tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert contents(tmp_path / "store") == {}
    assert build(teacher, samples, tmp_path / "store").finished
    with pytest.raises(SinkError, match="Give another folder"):
        build(teacher, samples, samples[0].image / "store")


def test_views_depend_on_seed_and_frame_alone() -> None:
    views = views_of("HC18/001_HC.png", 0, 5)
    assert views[0] == View.identity()
    assert views_of("HC18/001_HC.png", 0, 3) == views[:3]
    assert views_of("HC18/001_HC.png", 1, 5)[1:] != views[1:]
    assert views_of("HC18/002_HC.png", 0, 5)[1:] != views[1:]


def test_the_estimate_by_hand_and_on_disk(
    tmp_path: Path, teacher: CountedTeacher, samples: list[Sample]
) -> None:
    # a view takes 2 x 768 + 4 x 7 = 1,564 bytes; 210,035 frames are 1,641 shards of two files
    estimate = StoreEstimate(210_035, 5, 768, 128)
    assert estimate.array_bytes == 210_035 * 5 * 1_564 + 2 * 1_641 * 128
    assert estimate.hours(100.0) == pytest.approx(210_035 * 5 / 100 / 3600)
    build(teacher, samples, tmp_path / "store")
    on_disk = sum(path.stat().st_size for path in (tmp_path / "store").glob("*.npy"))
    assert StoreEstimate(FRAMES, VIEWS, 16, SHARD).array_bytes == on_disk
    assert measure_rate(teacher, samples, VIEWS) > 0
