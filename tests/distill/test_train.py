"""Training that is killed, poisoned, edited or out of room: it goes on exactly, or says why not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
import torch

from distill.checkpoint import LAST_NAME, Position, load_weights, save_run
from distill.data.standard import load_standard
from distill.devices import make_fabric
from distill.recipe import load_recipe
from distill.run import Run, RunRequest, begin_run, prepare_run
from distill.run_record import CHECKPOINT_NAME
from distill.score import Scores, score
from distill.train import train
from fetalclip_edge.errors import CheckFailedError, InputError, UsageError
from tests.distill.phantom_data import draw_data
from tests.distill.tiny import LABELS_ALONE, TAUGHT, DrawnStore, write_recipe


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _prepare(data: Path, folder: Path, text: str, **overrides: Any) -> Run:
    folder.mkdir(exist_ok=True)
    recipe = load_recipe(write_recipe(folder, text), overrides)
    samples = load_standard(data)
    store = DrawnStore(samples) if recipe.losses.need_teacher else None
    run = prepare_run(
        make_fabric(recipe.training.precision), RunRequest(folder, recipe, samples, store)
    )
    begin_run(run)
    return run


def _train(data: Path, folder: Path, text: str, **overrides: Any) -> Run:
    run = _prepare(data, folder, text, **overrides)
    train(make_fabric(run.recipe.training.precision), run)
    return run


def _equal(one: Path, other: Path) -> bool:
    a, b = (torch.load(path, weights_only=True) for path in (one, other))
    return _same(a, b)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b)


CHILD = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from tests.distill.test_train import _train
_train(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]).read_text())
"""


def test_a_run_killed_in_mid_epoch_gives_the_weights_of_an_unbroken_one(
    data: Path, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    # 24 frames: 6 batches, 3 steps an epoch; long enough to be caught in the middle
    text = TAUGHT.replace("epochs = 3", "epochs = 6\ncheckpoint_steps = 4")
    recipe = tmp_path / "text"
    recipe.write_text(text)
    command = (sys.executable, "-c", CHILD, str(data), str(broken), str(recipe))
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    steps = broken / "steps.csv"
    try:
        deadline = time.monotonic() + 120
        while not (steps.is_file() and "\n5," in steps.read_text()):
            assert child.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    position = torch.load(broken / LAST_NAME, weights_only=True)["position"]
    assert position["step"] < 18
    _train(data, broken, text)
    _train(data, whole, text)
    assert _equal(whole / LAST_NAME, broken / LAST_NAME)
    assert _equal(whole / CHECKPOINT_NAME, broken / CHECKPOINT_NAME)
    assert steps.read_text() == (whole / "steps.csv").read_text()
    logs = [_without_seconds(folder / "log.jsonl") for folder in (whole, broken)]
    assert logs[0] == logs[1]


def _without_seconds(log: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def test_a_run_that_stopped_at_each_place_of_an_epoch_goes_on_exactly(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    one_epoch = {"training": {"epochs": 1, "checkpoint_steps": 1}}
    _train(data, whole, LABELS_ALONE, **one_epoch)
    for stop in (1, 2):
        _train_until(data, broken, stop, monkeypatch, **one_epoch)
        assert torch.load(broken / LAST_NAME, weights_only=True)["position"]["step"] == stop
    _train(data, broken, LABELS_ALONE, **one_epoch)
    assert _equal(whole / LAST_NAME, broken / LAST_NAME)
    assert _equal(whole / CHECKPOINT_NAME, broken / CHECKPOINT_NAME)


class _PowerCut(BaseException):
    pass


def _train_until(
    data: Path, folder: Path, stop: int, monkeypatch: pytest.MonkeyPatch, **overrides: Any
) -> None:
    """Trains until the checkpoint of step `stop` is on the disk, and then falls over."""

    def save_and_fall(path: Path, position: Position, *rest: Any) -> None:
        save_run(path, position, *rest)
        if position.step == stop:
            raise _PowerCut

    with monkeypatch.context() as patch:
        patch.setattr("distill.train.save_run", save_and_fall)
        with pytest.raises(_PowerCut):
            _train(data, folder, LABELS_ALONE, **overrides)


@pytest.mark.parametrize("text", [LABELS_ALONE, TAUGHT], ids=["labels", "taught"])
def test_two_runs_of_one_recipe_are_the_same_run(data: Path, tmp_path: Path, text: str) -> None:
    runs = [
        _train(data, tmp_path / name, text, training={"epochs": 1}) for name in ("one", "other")
    ]
    assert _equal(*(run.folder / CHECKPOINT_NAME for run in runs))
    other = _train(data, tmp_path / "third", text, training={"epochs": 1, "seed": 1})
    assert not _equal(runs[0].folder / CHECKPOINT_NAME, other.folder / CHECKPOINT_NAME)


def test_a_run_learns(data: Path, tmp_path: Path) -> None:
    _train(data, tmp_path / "run", TAUGHT, training={"epochs": 8, "ema_decay": 0.5})
    lines = _without_seconds(tmp_path / "run" / "log.jsonl")
    for name in ("mask", "feature", "relational", "interactive"):
        assert lines[-1][name] < lines[0][name]
    assert lines[-1]["agreement"] > lines[0]["agreement"]


def test_the_best_weights_are_chosen_at_the_size_that_is_exported(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merits, seen, sides = iter([0.9, 0.95, 0.5, 0.7, 0.6]), list[torch.Tensor](), list[int]()

    def scored(student: torch.nn.Module, *arguments: Any) -> Scores:
        seen.append(student.get_parameter("plane.weight").detach().clone())
        sides.append(arguments[-1])
        return Scores(dsc=next(merits), f1=None)

    monkeypatch.setattr("distill.train.score", create_autospec(score, side_effect=scored))
    run = _prepare(data, tmp_path / "run", LABELS_ALONE, training={"epochs": 5})
    assert train(make_fabric("bf16-mixed"), run).dsc == 0.7
    assert sides == [32, 32, 64, 64, 64]
    kept = torch.load(run.folder / CHECKPOINT_NAME, weights_only=True)["student"]["plane.weight"]
    assert [torch.equal(kept, weights) for weights in seen] == [False, False, False, True, False]


def test_an_edited_recipe_is_refused(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    _prepare(data, folder, LABELS_ALONE)
    with pytest.raises(UsageError, match=r"another recipe\.optimizer\.lr"):
        _prepare(data, folder, LABELS_ALONE, optimizer={"lr": 1e-3})
    record = folder / "run.json"
    record.write_text(record.read_text().replace('"epochs": 3', '"epochs": 4'))
    with pytest.raises(InputError, match="edited after the run began"):
        _prepare(data, folder, LABELS_ALONE)


def test_other_frames_are_refused(data: Path, tmp_path: Path) -> None:
    _prepare(data, tmp_path / "run", LABELS_ALONE)
    fewer = draw_data(tmp_path / "data")
    next((fewer / "planes" / "Images").glob("*.png")).unlink()
    with pytest.raises(UsageError, match="another split_sha256"):
        _prepare(fewer, tmp_path / "run", LABELS_ALONE)


def test_a_nan_stops_the_run_and_leaves_its_batch(data: Path, tmp_path: Path) -> None:
    run = _prepare(data, tmp_path / "run", LABELS_ALONE)
    with torch.no_grad():
        run.student.plane.weight[0, 0] = float("nan")
    with pytest.raises(CheckFailedError, match=r"not_finite_0\.pt.*got nan"):
        train(make_fabric("bf16-mixed"), run)
    batch = torch.load(tmp_path / "run" / "not_finite_0.pt", weights_only=True)
    assert batch["frame"].shape == (4, 1, 64, 64)
    names = {sample.image.name for sample in run.frames.cached.samples}
    assert set(batch["images"]) <= names
    assert not (tmp_path / "run" / CHECKPOINT_NAME).exists()


def test_a_damaged_checkpoint_is_refused(data: Path, tmp_path: Path) -> None:
    run = _train(data, tmp_path / "run", LABELS_ALONE, training={"epochs": 1})
    last = run.folder / LAST_NAME
    last.write_bytes(last.read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"checkpoint .*last\.pt"):
        _train(data, tmp_path / "run", LABELS_ALONE, training={"epochs": 1})


FULL = """
import resource, sys, torch
from pathlib import Path
torch.set_num_threads(1)
from tests.distill.test_train import _train
from fetalclip_edge.errors import SinkError
resource.setrlimit(resource.RLIMIT_FSIZE, (8 * 2**20, 8 * 2**20))
try:
    _train(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]).read_text())
except SinkError as error:
    print(error)
"""


def test_a_full_disk_is_one_error_and_the_last_checkpoint_still_loads(
    data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    first = LABELS_ALONE.replace("epochs = 3", "epochs = 2\ncheckpoint_steps = 1")
    with pytest.MonkeyPatch.context() as patch:
        _train_until(data, folder, 2, patch, training={"epochs": 2, "checkpoint_steps": 1})
    before = (folder / LAST_NAME).read_bytes()
    recipe = tmp_path / "text"
    recipe.write_text(first)
    done = subprocess.run(
        (sys.executable, "-c", FULL, str(data), str(folder), str(recipe)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "last.pt cannot be written: got File too large" in done.stdout
    assert (folder / LAST_NAME).read_bytes() == before
    assert not list(folder.glob(".*.part"))
    _train(data, folder, first)
    assert load_weights(folder / CHECKPOINT_NAME)
