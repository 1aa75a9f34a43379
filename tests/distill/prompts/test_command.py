"""`fetalclip-edge prompts` with a tiny open_clip teacher from a folder, to words on the cart."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from distill.teacher.load import load_teacher
from distill.teacher.manifest import OpenClipConfig, TeacherManifest
from fetalclip_edge.bundle.load import Bundle, load_bundle
from fetalclip_edge.bundle.manifest import EmbeddingSpace
from fetalclip_edge.cli.app import app
from fetalclip_edge.errors import EdgeError, InputError, UsageError
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.runners.scripted import ScriptedRunner
from fetalclip_edge.session import Session
from fetalclip_edge.textbank.entry import GestationalAgeBank, PlaneBank
from tests.bundle.builder import DIM, head_image, head_outputs, tiny_bundle
from tests.distill.prompts.towers import CONFIG

AGES = ("--kind", "gestational-age", "--spacing-min-mm", "3.99", "--spacing-max-mm", "4.01")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("teacher")
    torch.manual_seed(0)
    path = folder / "model.safetensors"
    save_file(open_clip.CLIP(**CONFIG).state_dict(), path)
    TeacherManifest(
        schema_version=1,
        name="tiny",
        licence="CC0-1.0",
        stand_in=True,
        stand_in_note="random weights",
        model=OpenClipConfig(**CONFIG),
        weights=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        data=(),
        trained_on=(),
    ).save(folder)
    return folder


@pytest.fixture
def bundle(teacher: Path, tmp_path: Path) -> Bundle:
    space = TeacherManifest.load(teacher).record.space
    return tiny_bundle(tmp_path / "b", embedding_space=EmbeddingSpace(name=space, dim=DIM))


def run(bundle: Bundle, teacher: Path, *more: str) -> Any:
    result = CliRunner().invoke(
        app, ["prompts", "--model", str(bundle.folder), "--teacher", str(teacher), *more]
    )
    if isinstance(result.exception, EdgeError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_own_prompts_to_words_and_weeks_on_the_cart(bundle: Bundle, teacher: Path) -> None:
    planes = run(bundle, teacher)
    assert "text_banks/plane.npy: 9 vectors, 0.00 MiB" in planes.stdout
    assert "teacher tiny (stand-in), licence CC0-1.0" in planes.stderr
    ages = run(bundle, teacher, *AGES)
    made = load_bundle(bundle.folder)
    assert "text_banks/gestational_age.npy: 525 vectors, 0.02 MiB" in ages.stdout
    assert f"digest {made.digest}" in ages.stdout
    assert "3 spacings x 175 days: a bank of 0.0 MiB, from 2,625 prompts" in ages.stderr
    words, grid = made.manifest.text_banks
    assert isinstance(words, PlaneBank)
    assert isinstance(grid, GestationalAgeBank)
    assert words.logit_scale == pytest.approx(1 / 0.07)  # open_clip's first value
    assert grid.prompt_size_px == 32
    # the name goes with every number, so it says what the teacher is
    assert [bank.name for bank in (words, grid)] == [
        "stand-in zero-shot plane",
        "stand-in zero-shot age",
    ]
    assert words.stand_in
    # an image whose embedding is that of one class's words is told to be of that class
    embedding = made.text_bank(words)[words.classes.index("femur")]
    outputs = {**head_outputs(), "embedding": embedding[None]}
    with ScriptedRunner([outputs]) as runner:
        frame = Frame(head_image(), scale=Scale((1.0, 1.0), ScaleOrigin.USER))
        result = Session(made, runner).process(frame)  # 128 px on 32: 4 mm
    assert result.zero_shot[0].label == "femur"
    assert result.gestational_age is not None
    assert result.gestational_age.ga_days is not None
    assert 98 + 7 <= result.gestational_age.ga_days <= 272 - 7


def test_a_file_in_the_form_of_fetalclip(bundle: Bundle, teacher: Path, tmp_path: Path) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({"brain": ["a", "b"], "heart": ["c"], "lips_nose": ["d"]}))
    run(bundle, teacher, "--prompts", str(path), "--prompts-licence", "CC BY-NC 4.0")
    made = load_bundle(bundle.folder)
    (bank,) = made.manifest.text_banks
    assert isinstance(bank, PlaneBank)
    assert bank.classes == ("brain", "thorax", "lips nose")
    assert bank.prompts_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert bank.prompts_licence == "CC BY-NC 4.0"
    said = load_teacher(str(teacher)).encode_text(["c"]).numpy()[0]
    assert made.text_bank(bank)[1] == pytest.approx(said, abs=1e-6)


def test_a_bundle_of_another_space_is_left_alone(teacher: Path, tmp_path: Path) -> None:
    other = tiny_bundle(tmp_path / "b")
    with pytest.raises(InputError, match="a teacher of the bundle's embedding space 'tiny-space'"):
        run(other, teacher)
    assert load_bundle(other.folder).digest == other.digest


@pytest.mark.parametrize(
    "more", [AGES[:2], AGES[:4], (*AGES[:2], *AGES[4:]), AGES[2:], ("--kind", "plane", *AGES[2:])]
)
def test_ages_need_a_range_and_planes_have_none(
    bundle: Bundle, teacher: Path, more: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match="both with --kind gestational-age"):
        run(bundle, teacher, *more)


def test_a_prompt_longer_than_the_model_reads(
    bundle: Bundle, teacher: Path, tmp_path: Path
) -> None:
    path = tmp_path / "prompts.json"
    path.write_text(json.dumps({"brain": ["word " * 200], "femur": ["b"]}))
    with pytest.raises(InputError, match="tokens"):
        run(bundle, teacher, "--prompts", str(path))
    assert load_bundle(bundle.folder).digest == bundle.digest


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "Missing option"),
        (("--model", "/nowhere", "--teacher", "/nowhere"), 4, "bundle /nowhere"),
    ],
)
def test_an_error_is_one_line(arguments: tuple[str, ...], code: int, words: str) -> None:
    command = [sys.executable, "-m", "fetalclip_edge", "prompts", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
