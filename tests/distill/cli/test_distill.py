"""`fetalclip-edge distill` with a real teacher: its store, its plan, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from distill.data.standard import load_standard
from distill.recipe import BankLoss, load_recipe
from distill.run_record import RunRecord
from distill.text_bank import read_text_bank
from fetalclip_edge.cli.app import app
from fetalclip_edge.errors import CheckFailedError, EdgeError, InputError, UsageError
from tests.distill.phantom_data import draw_data
from tests.distill.teacher.builder import tiny_folder, tiny_manifest
from tests.distill.tiny import LABELS_ALONE, TAUGHT, write_recipe

QUICK = ("--epochs", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds data/, teacher/, a recipe, and taught/, a run of one epoch with its store."""
    root = tmp_path_factory.mktemp("distill")
    draw_data(root / "data")
    tiny_folder(root / "teacher")
    write_recipe(root, TAUGHT)
    out = _distill(root, "taught", "--teacher", str(root / "teacher"), *QUICK)
    assert "teacher cosine" in out
    return root


def _distill(root: Path, run: str, *options: str, recipe: str = "recipe.toml") -> str:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    common = ("--data", str(root / "data"), "--run", str(root / run), "--recipe")
    try:
        done = CliRunner().invoke(app, ["distill", *common, str(root / recipe), *options])
    finally:
        torch.set_num_threads(threads)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_run_keeps_its_recipe_its_lineage_and_its_split(folder: Path) -> None:
    record = RunRecord.load(folder / "taught")
    assert record.recipe.training.epochs == 1
    assert record.teacher is not None
    assert (record.teacher.name, record.teacher.stand_in) == ("tiny", True)
    assert (record.embedding_dim, record.in_teacher_space) == (16, True)
    lines = (folder / "taught" / "split.csv").read_text().splitlines()
    assert lines[0] == "data_set,group,image,split,labels_used"
    assert len(lines) == 1 + len(load_standard(folder / "data"))
    assert "HC18,block 2,040_HC.png,test,1" in lines


def test_a_store_is_used_again_and_hidden_labels_are_written_down(folder: Path) -> None:
    store = str(folder / "taught" / "store")
    _distill(folder, "few", "--store", store, "--labels", "0.3", *QUICK)
    lines = (folder / "few" / "split.csv").read_text().splitlines()[1:]
    train = [line for line in lines if ",train," in line]
    used = [line for line in train if line.endswith(",1")]
    assert 0 < len(used) < len(train)


def test_the_plan_is_printed_and_nothing_is_written(folder: Path) -> None:
    out = _distill(folder, "planned", "--store", str(folder / "taught" / "store"), "--dry-run")
    assert not (folder / "planned").exists()
    words = " ".join(out.split())
    for text in ("tiny (stand-in), CC0-1.0", "MACs a frame", "MiB kept", "9, 2 x 4 frames each"):
        assert text in words


def test_heads_are_trained_after_the_encoder(folder: Path) -> None:
    text = LABELS_ALONE.replace("early_share = 0.4", 'early_share = 0.4\ntrained = "heads"')
    (folder / "heads.toml").write_text(text.replace("embedding_dim = 16\n", ""))
    start = ("--start-from", str(folder / "taught"))
    _distill(folder, "heads", *start, *QUICK, recipe="heads.toml")
    before, after = (
        torch.load(folder / run / "best.pt", weights_only=True)["student"]
        for run in ("taught", "heads")
    )
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"lateral", "smooth", "mask", "plane"}
    record = RunRecord.load(folder / "heads")
    assert record.in_teacher_space
    assert record.teacher == RunRecord.load(folder / "taught").teacher


def test_labels_alone_after_a_teacher_leave_its_space_but_not_its_lineage(folder: Path) -> None:
    (folder / "on.toml").write_text(LABELS_ALONE)
    _distill(folder, "on", "--start-from", str(folder / "taught"), *QUICK, recipe="on.toml")
    record = RunRecord.load(folder / "on")
    assert not record.in_teacher_space
    assert record.teacher == RunRecord.load(folder / "taught").teacher


def test_a_damaged_shard_is_refused(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    for path in (folder / "taught" / "store").iterdir():
        (store / path.name).write_bytes(path.read_bytes())
    shard = max(store.iterdir(), key=lambda path: path.stat().st_size)
    raw = bytearray(shard.read_bytes())
    raw[-1] ^= 1
    shard.write_bytes(bytes(raw))
    with pytest.raises(InputError, match=shard.name):
        _distill(folder, "damaged", "--store", str(store))


def test_a_teacher_that_saw_a_test_frame_is_refused(folder: Path, tmp_path: Path) -> None:
    leaking = tiny_folder(tmp_path / "teacher")
    manifest = tiny_manifest(leaking, "model.safetensors")
    manifest.model_copy(update={"trained_on": ("000_HC.png", "041_HC.png")}).save(leaking)
    with pytest.raises(CheckFailedError, match=r"041_HC\.png, a test frame of HC18"):
        _distill(folder, "leaking", "--teacher", str(leaking))


@pytest.mark.parametrize(
    ("options", "recipe", "error", "words"),
    [
        ((), TAUGHT, UsageError, "no store"),
        (("--store", "STORE"), LABELS_ALONE, UsageError, "a store that no loss uses"),
        (("--store", "STORE", "--bank", "BANK"), TAUGHT, InputError, "text bank"),
        (("--bank", "BANK"), LABELS_ALONE, UsageError, "neither --store nor --teacher"),
        (
            ("--store", "STORE"),
            TAUGHT + "[losses.bank]\nweight = 1.0\n",
            UsageError,
            "no --bank",
        ),
        (
            ("--store", "STORE"),
            TAUGHT.replace("[student]", "[student]\nembedding_dim = 32"),
            UsageError,
            "the teacher's 16",
        ),
        (("--teacher", "TEACHER", "--dry-run"), TAUGHT, UsageError, "a finished --store"),
        (
            (),
            LABELS_ALONE.replace("[student]", '[student]\ntrained = "heads"'),
            UsageError,
            "--start-from",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(
    folder: Path, options: tuple[str, ...], recipe: str, error: type[EdgeError], words: str
) -> None:
    places = {
        "STORE": str(folder / "taught" / "store"),
        "TEACHER": str(folder / "teacher"),
        "BANK": str(folder / "none.npy"),
    }
    (folder / "wrong.toml").write_text(recipe)
    given = tuple(places.get(option, option) for option in options)
    with pytest.raises(error, match=words):
        _distill(folder, "wrong", *given, recipe="wrong.toml")
    assert not (folder / "wrong").exists()


def test_a_bank_takes_part(folder: Path) -> None:
    vectors = np.eye(4, 16, dtype=np.float32)
    np.save(folder / "bank.npy", vectors)
    assert torch.equal(read_text_bank(folder / "bank.npy", 16).embeddings, torch.tensor(vectors))
    (folder / "bank.toml").write_text(TAUGHT + "[losses.bank]\nweight = 1.0\n")
    assert isinstance(load_recipe(folder / "bank.toml").losses.bank, BankLoss)
    options = ("--store", str(folder / "taught" / "store"), "--bank", str(folder / "bank.npy"))
    _distill(folder, "banked", *options, *QUICK, recipe="bank.toml")
    header = (folder / "banked" / "steps.csv").read_text().splitlines()[0]
    assert "bank" in header.split(",")


@pytest.mark.parametrize(
    "vectors",
    [
        np.eye(4, 8, dtype=np.float32),
        2 * np.eye(4, 16, dtype=np.float32),
        np.full((4, 16), np.nan, np.float32),
        np.eye(4, 16),
        np.eye(1, 16, dtype=np.float32),
    ],
    ids=["width", "norm", "nan", "float64", "one"],
)
def test_a_bank_that_is_none_is_refused(
    tmp_path: Path, vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    np.save(tmp_path / "bank.npy", vectors)
    with pytest.raises(InputError, match="unit vectors"):
        read_text_bank(tmp_path / "bank.npy", 16)
