"""Banks into bundles: what is refused before a word is encoded, and that nothing is lost."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import numpy as np
import pytest

from distill.prompts.bank import add_age_bank, add_plane_bank, spacing_grid
from distill.prompts.prompt_file import ClassPrompts, PromptFile
from fetalclip_edge.bundle.load import Bundle, load_bundle
from fetalclip_edge.errors import BundleError, InputError, UsageError
from fetalclip_edge.textbank.entry import GestationalAgeBank, PlaneBank
from tests.bundle.builder import MODEL_PATH, tiny_bundle
from tests.distill.prompts.towers import RandomTower

WORDS = PromptFile(
    (
        ClassPrompts("Fetal brain", ("a fetal brain", "a head")),
        ClassPrompts("heart", ("four chambers",)),
    ),
    "1" * 64,
    "CC0-1.0",
)
AGES = PromptFile(
    (ClassPrompts("brain", ("{weeks} {days} {spacing_mm}", "at {spacing_mm}, {weeks}w{days}d")),),
    "2" * 64,
    "CC0-1.0",
)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return tiny_bundle(tmp_path / "b")


def test_both_kinds(bundle: Bundle) -> None:
    tower = RandomTower()
    made = add_plane_bank(bundle, tower, WORDS)
    made = add_age_bank(made, tower, AGES, spacing_grid(0.29, 0.31))
    again = load_bundle(bundle.folder)
    assert again == made
    planes, ages = again.manifest.text_banks
    assert isinstance(planes, PlaneBank)
    assert planes.classes == ("brain", "thorax")
    assert (planes.logit_scale, planes.teacher, planes.stand_in) == (50.0, "random", True)
    assert (planes.prompts_sha256, planes.prompts_licence) == ("1" * 64, "CC0-1.0")
    brain = tower.encode_text(["a fetal brain", "a head"]).double().numpy().sum(axis=0)
    np.testing.assert_allclose(again.text_bank(planes)[0], brain / np.linalg.norm(brain), atol=1e-6)
    assert isinstance(ages, GestationalAgeBank)
    assert (ages.days.first_ga_days, ages.days.count, ages.spacings.count) == (98, 175, 3)
    assert ages.spacings.values_mm() == pytest.approx((0.29, 0.30, 0.31))
    vectors = again.text_bank(ages)
    assert vectors.shape == (525, 8)
    last = tower.encode_text(["38 6 0.31", "at 0.31, 38w6d"]).double().numpy().mean(axis=0)
    np.testing.assert_allclose(vectors[-1], last, atol=1e-6)


def test_a_bank_of_the_same_kind_is_replaced_and_the_rest_is_kept(bundle: Bundle) -> None:
    tower = RandomTower()
    model = (bundle.folder / MODEL_PATH).read_bytes()
    made = add_age_bank(bundle, tower, AGES, spacing_grid(0.3, 0.3))
    made = add_plane_bank(made, tower, WORDS)
    other = PromptFile((*WORDS.classes, ClassPrompts("spine", ("s",))), "3" * 64, "x")
    made = add_plane_bank(made, tower, other)
    kinds = [(bank.kind, bank.rows) for bank in made.manifest.text_banks]
    assert kinds == [("gestational_age", 175), ("plane", 3)]
    assert (bundle.folder / MODEL_PATH).read_bytes() == model


def test_another_teacher_is_refused_before_a_word_is_encoded(bundle: Bundle) -> None:
    tower = RandomTower()
    tower.space = "moon"
    refused = r"space 'tiny-space', got 'moon'.*distilled from"
    with pytest.raises(InputError, match=refused):
        add_plane_bank(bundle, tower, WORDS)
    with pytest.raises(InputError, match=refused):
        add_age_bank(bundle, tower, AGES, spacing_grid(0.3, 0.3))
    assert tower.asked == []
    assert load_bundle(bundle.folder).digest == bundle.digest


def test_ages_need_one_plane_of_the_bundle(bundle: Bundle) -> None:
    for classes in (WORDS.classes, (ClassPrompts("moon", AGES.classes[0].prompts),)):
        with pytest.raises(InputError, match="templates under one plane of the bundle: brain, "):
            add_age_bank(
                bundle, RandomTower(), PromptFile(classes, "4" * 64, "x"), spacing_grid(0.3, 0.3)
            )


def test_one_class_is_no_choice(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="two classes or more, got 1"):
        add_plane_bank(bundle, RandomTower(), PromptFile(WORDS.classes[:1], "5" * 64, "x"))


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.5, 0.4), (0.1, 10.1), (-1.0, 1.0), (float("nan"), 1.0)]
)
def test_no_range(low: float, high: float) -> None:
    with pytest.raises(UsageError, match=r"0\.01 <= smallest <= largest <= 10 mm"):
        spacing_grid(low, high)


def test_a_range_too_wide_is_refused_before_a_word_is_encoded(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "w")
    wide = bundle.manifest.embedding_space.model_copy(update={"dim": 768})
    manifest = bundle.manifest.model_copy(update={"embedding_space": wide})
    tower = RandomTower()
    with pytest.raises(UsageError, match="at most 256 MiB, got 513 MiB for 1000 spacings"):
        add_age_bank(Bundle(bundle.folder, manifest, "0" * 64), tower, AGES, spacing_grid(0.01, 10))
    assert tower.asked == []


def test_a_full_disk_loses_nothing(bundle: Bundle) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(BundleError, match="cannot be written: got File too large"):
            add_age_bank(bundle, RandomTower(), AGES, spacing_grid(0.3, 0.3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert load_bundle(bundle.folder).digest == bundle.digest
    assert [path.name for path in bundle.folder.parent.iterdir()] == ["b"]
