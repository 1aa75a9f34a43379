"""Recipes: checked whole, refused with a name, and the same digest however they are written."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from distill.recipe import DEFAULT_RECIPE, RECIPES, RepulsiveLoss, Schedule, Trained, load_recipe
from distill.train import learning_rate, side_of
from fetalclip_edge.errors import InputError
from tests.distill.tiny import LABELS_ALONE, TAUGHT, write_recipe


def test_the_default_is_the_recipe_of_the_shipped_bundle() -> None:
    recipe = load_recipe(DEFAULT_RECIPE)
    training, optimizer, student = recipe.training, recipe.optimizer, recipe.student
    assert (training.epochs, training.batch, training.ema_decay) == (100, 16, 0.998)
    assert (training.accumulation, training.clip_norm, training.seed) == (1, 5.0, 0)
    assert (optimizer.lr, optimizer.weight_decay, optimizer.floor) == (2e-3, 0.05, 0.01)
    assert (optimizer.betas, optimizer.warmup_epochs) == ((0.9, 0.999), 1.0)
    assert (student.size_px, student.early_size_px, student.early_share) == (256, 160, 0.5)
    assert (student.preset, student.embedding_dim) == ("resnet18_half_strided", 256)
    assert student.trained is Trained.ALL
    assert recipe.losses.mask is not None
    assert recipe.losses.plane is not None
    assert recipe.losses.mask.weight.at(0.3) == 1.0
    assert (recipe.losses.plane.weight.at(0.3), recipe.losses.plane.smoothing) == (0.5, 0.05)
    assert not recipe.losses.need_teacher


def test_the_recipe_with_a_teacher_needs_one() -> None:
    assert load_recipe(RECIPES / "distil.toml").losses.need_teacher


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("batch = 4", "batchsize = 4", "unknown key 'training.batchsize'"),
        ("[losses.plane]", "[losses.planes]", "unknown key 'losses.planes'"),
        ("epochs = 3", 'epochs = "3"', "training.epochs"),
        ("epochs = 3", "epochs = 0", "training.epochs"),
        ("size_px = 64", "size_px = 65", "student.size_px"),
        ('"resnet18_half"', '"resnet50"', "preset must be one of resnet18_half"),
        ("weight = 1.0", "weight = nan", "losses.mask.weight"),
        ("weight = 1.0", "weight = true", "losses.mask.weight"),
        ("weight = 1.0", "weight = 2026-01-01", "losses.mask.weight"),
        ("weight = 1.0", 'weight = { start = 1.0, end = 0.0, shape = "step" }', "shape"),
        ("schema_version = 1", "schema_version = 2", "schema_version"),
        ("schema_version = 1", "schema_version 1", "a TOML file"),
    ],
)
def test_what_is_wrong_is_refused_by_name(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in LABELS_ALONE
    path = write_recipe(tmp_path, LABELS_ALONE.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        load_recipe(path)
    assert words in str(caught.value)


def test_a_recipe_without_losses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one loss"):
        load_recipe(write_recipe(tmp_path, LABELS_ALONE.split("[losses.mask]")[0] + "[losses]\n"))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (2**20 + 1)])
def test_bytes_that_are_no_recipe_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match="expected a TOML file"):
        load_recipe(path)
    with pytest.raises(InputError, match="No such file"):
        load_recipe(tmp_path / "none.toml")


def test_the_digest_is_of_what_a_recipe_says(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, LABELS_ALONE))
    written_out = LABELS_ALONE.replace("batch = 4", "# a comment\nseed = 0\nbatch = 4")
    again = load_recipe(write_recipe(tmp_path, written_out))
    assert again == recipe
    assert again.sha256 == recipe.sha256
    changed = load_recipe(write_recipe(tmp_path, LABELS_ALONE), {"training": {"seed": 1}})
    assert changed.sha256 != recipe.sha256


def test_an_override_is_checked_like_the_file(tmp_path: Path) -> None:
    path = write_recipe(tmp_path, TAUGHT)
    assert load_recipe(path, {"labels": {"share": 0.1}}).labels.share == 0.1
    with pytest.raises(InputError, match=r"labels\.share"):
        load_recipe(path, {"labels": {"share": 1.5}})


@pytest.mark.parametrize(
    ("shape", "progress", "value"),
    [
        ("linear", 0.0, 2.0),
        ("linear", 0.5, 0.6),
        ("linear", 1.0, -0.8),
        ("cosine", 0.0, 2.0),
        ("cosine", 0.25, 2.0 - 2.8 * 0.5 * (1 - math.sqrt(0.5))),
        ("cosine", 1.0, -0.8),
    ],
)
def test_schedules_by_hand(shape: str, progress: float, value: float) -> None:
    schedule = Schedule.model_validate({"shape": shape, "start": 2.0, "end": -0.8})
    assert schedule.at(progress) == pytest.approx(value)


@pytest.mark.parametrize(("progress", "weight"), [(0.0, 2.0), (0.5, 0.6), (1.0, -0.8)])
def test_the_off_diagonal_weight_turns_negative(progress: float, weight: float) -> None:
    part = RepulsiveLoss.model_validate({"weight": 1.0})
    assert part.tau == 5.0
    assert part.off_diagonal.at(progress) == pytest.approx(weight)


def test_rate_and_side_over_a_run() -> None:
    recipe = load_recipe(DEFAULT_RECIPE)
    rates = [learning_rate(recipe.optimizer, step, 10, 100) for step in range(100)]
    assert rates[0] == pytest.approx(2e-3 / 10)
    assert rates[50] == pytest.approx(2e-3 * (0.01 + 0.99 * 0.5))
    assert max(rates) == rates[9]
    assert learning_rate(recipe.optimizer, 100, 10, 100) == pytest.approx(2e-5)
    assert [side_of(recipe, epoch) for epoch in (0, 49, 50, 99)] == [160, 160, 256, 256]
