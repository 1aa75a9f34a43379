"""Shards to a teacher that loads, through open_clip's own trainer; faults before training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch.utils.flop_counter import FlopCounterMode

from distill.data.pairs import PairSpec
from distill.data.shards import Shards
from distill.data.write_shards import write_shards
from distill.model import Student, StudentSpec
from distill.pretrain.models import ModelName, PretrainRecipe, model_config
from distill.pretrain.run import RECORD_NAME, TEACHER_NAME, pretrain
from distill.pretrain.trainer import log_path, losses, train
from distill.teacher.load import load_teacher
from distill.teacher.manifest import TeacherManifest
from fetalclip_edge.errors import EnvironmentFault, InputError, UsageError
from tests.distill.data.frames import made_up_samples
from tests.distill.pretrain.tiny import IDENTITY, TINY

RECIPE = PretrainRecipe(epochs=1, batch=8, lr=1e-3, weight_decay=0.1)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    made = write_shards(
        made_up_samples(folder), PairSpec(views=2, prompt_size_px=32), folder / "shards"
    )
    return made.folder


def _run(shards: Path, run: Path, lr: float = 1e-3) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.distill.pretrain.tiny", str(shards), str(run), str(lr)]
    # no way out: a look at any hub would fail
    blocked = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **blocked}
    )


@pytest.fixture(scope="module")
def trained(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("run")
    done = _run(shards, run)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return run


def test_two_steps_write_a_teacher_that_loads(trained: Path, shards: Path) -> None:
    assert len(losses(trained)) == 2  # one step an epoch
    manifest = TeacherManifest.load(trained / TEACHER_NAME)
    assert manifest.stand_in
    assert "stand-in" in manifest.name
    assert manifest.data == ("FETAL_PLANES_DB", "HC18")
    assert manifest.trained_on == Shards.open(shards).index.frames
    teacher = load_teacher(str(trained / TEACHER_NAME))
    assert (teacher.dim, teacher.prompt_size_px) == (8, 32)
    squares = [np.full((40, 40), 90, np.uint8), np.eye(64, dtype=np.uint8)]
    assert teacher.embed(squares).norm(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert teacher.encode_text(["fetal head on ultrasound"]).shape == (1, 8)


def test_the_weights_are_those_that_were_trained(trained: Path) -> None:
    checkpoints = trained / "open_clip" / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["epoch_latest.pt"]
    assert torch.load(checkpoints / "epoch_latest.pt", weights_only=True)["epoch"] == 2
    # open_clip begins at 1 / 0.07; a saved random start would load just as well
    teacher = load_teacher(str(trained / TEACHER_NAME))
    assert teacher.logit_scale != pytest.approx(1 / 0.07, rel=1e-6)


def test_a_finished_run_is_not_trained_again(trained: Path, shards: Path) -> None:
    weights = (trained / TEACHER_NAME / "model.safetensors").read_bytes()
    assert _run(shards, trained).returncode == 0
    assert (trained / TEACHER_NAME / "model.safetensors").read_bytes() == weights
    assert len(losses(trained)) == 2


def test_other_options_are_refused(trained: Path, shards: Path) -> None:
    with pytest.raises(UsageError, match="options and shards that the run was begun with"):
        pretrain(TINY, IDENTITY, RECIPE, shards, trained)


def test_weights_that_are_not_finite_make_no_teacher(shards: Path, tmp_path: Path) -> None:
    done = _run(shards, tmp_path / "run", lr=1e30)
    assert done.returncode == 5
    assert "NaN or infinity" in done.stderr
    assert not (tmp_path / "run" / TEACHER_NAME).exists()


def test_a_corrupt_shard_is_found_before_training(shards: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shards"
    copy.mkdir()
    for path in shards.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    damaged = next(copy.glob("*.tar"))
    data = bytearray(damaged.read_bytes())
    data[600] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(InputError, match=f"{damaged.name} is damaged"):
        pretrain(TINY, IDENTITY, RECIPE, copy, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_captions_for_another_model_are_refused(shards: Path, tmp_path: Path) -> None:
    small = model_config(ModelName.SMALL)
    with pytest.raises(InputError, match="for a model of 192 px, got those for 32 px"):
        pretrain(small, IDENTITY, RECIPE, shards, tmp_path / "run")


def test_too_few_pairs_are_refused(shards: Path, tmp_path: Path) -> None:
    recipe = PretrainRecipe(epochs=1, batch=64, lr=1e-3, weight_decay=0.1)
    with pytest.raises(UsageError, match="64 pairs, or more"):
        train("tiny", Shards.open(shards), recipe, tmp_path)


def test_several_processes_need_gpus(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU is here")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(EnvironmentFault, match="without torchrun"):
        train("tiny", Shards.open(shards), RECIPE, tmp_path)


def test_a_record_that_was_edited_is_refused(shards: Path, tmp_path: Path) -> None:
    (tmp_path / RECORD_NAME).write_text(json.dumps({"model": "other"}))
    with pytest.raises(InputError, match=RECORD_NAME):
        pretrain(TINY, IDENTITY, RECIPE, shards, tmp_path)
    assert not log_path(tmp_path).exists()


def test_the_stand_in_costs_four_students() -> None:
    config = model_config(ModelName.SMALL)
    tower = timm.create_model(str(config.vision_cfg["timm_model_name"]), num_classes=0)
    student = Student(StudentSpec("resnet18_half"))
    side = config.image_size_px
    teacher_macs = _macs(tower, torch.zeros(1, 3, side, side))
    student_macs = _macs(student, torch.zeros(1, 1, 256, 256))
    assert teacher_macs >= 4 * student_macs


@torch.no_grad()
def _macs(model: torch.nn.Module, x: torch.Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        model.eval()(x)
    return int(counter.get_total_flops()) // 2
