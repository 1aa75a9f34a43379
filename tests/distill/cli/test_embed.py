"""`fetalclip-edge embed` from the command line, on a data folder of a few frames."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from distill.data.standard import load_standard
from distill.store.teacher_store import TeacherStore
from fetalclip_edge.cli.app import app
from fetalclip_edge.errors import InputError, UsageError
from tests.distill.teacher.builder import tiny_folder

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five frames in the layouts of HC18 and FETAL_PLANES_DB, one of them in colour."""
    folder = tmp_path / "data"
    heads, planes = folder / "hc18" / "training_set", folder / "planes" / "Images"
    heads.mkdir(parents=True)
    planes.mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows = ["filename,pixel size(mm),head circumference (mm)"]
    for number in (1, 25, 50):
        cv2.imwrite(str(heads / f"{number:03d}_HC.png"), generator.integers(0, 256, (40, 60)))
        cv2.imwrite(str(heads / f"{number:03d}_HC_Annotation.png"), np.zeros((40, 60), np.uint8))
        rows.append(f"{number:03d}_HC.png,0.1,200")
    (folder / "hc18" / "training_set_pixel_size_and_HC.csv").write_text("\n".join(rows) + "\n")
    rows = ["Image_name;Patient_num;Plane;Train "]
    for number in (1, 2):
        name = f"Patient{number:05d}_Plane2_1_of_1"
        cv2.imwrite(str(planes / f"{name}.png"), generator.integers(0, 256, (40, 50, 3)))
        rows.append(f"{name};{number};Fetal abdomen;1")
    (folder / "planes" / "FETAL_PLANES_DB_data.csv").write_text("\n".join(rows) + "\n")
    return folder


def embed(data: Path, *more: str, **environment: str) -> Result:
    base = data.parent
    if not (base / "teacher").exists():
        tiny_folder(base / "teacher")
    arguments = ["--data", str(data), "--store", str(base / "store")]
    arguments += ["--teacher", str(base / "teacher"), "--views", "2", *more]
    return CliRunner().invoke(app, ["embed", *arguments], env=environment)


def test_a_store_is_made_and_the_second_run_makes_nothing(data: Path) -> None:
    first = embed(data)
    assert first.exit_code == 0, first.output
    assert "teacher: tiny (stand-in), CC0-1.0" in first.stdout
    assert "embedded 5 images x 2 views" in first.stdout
    assert "2 colour frames of 5 looked at" in first.stdout
    second = embed(data)
    assert "embedded 0 images x 2 views; 5 stood already" in second.stdout
    assert "cosine" not in second.stdout
    store = TeacherStore.open(data.parent / "store")
    assert {store.index(sample) for sample in load_standard(data)} == set(range(5))


def test_a_dry_run_reckons_and_writes_nothing(data: Path) -> None:
    result = embed(data, "--dry-run", "--images", "210035")
    # 210,035 x 2 x (2 x 16 + 4 x 7) + 2 x 1,641 x 128
    assert "210,035 images x 2 views: 25,624,296 bytes of arrays" in result.stdout
    assert "extrapolated from" in result.stdout
    assert not (data.parent / "store").exists()


def test_what_makes_no_sense_is_refused(data: Path) -> None:
    assert isinstance(embed(data, "--images", "7").exception, UsageError)
    assert isinstance(embed(data, RANK="2", WORLD_SIZE="2").exception, UsageError)
    assert isinstance(embed(data, RANK="-1").exception, UsageError)
    assert isinstance(embed(data, "--teacher-sha256", "0" * 64).exception, InputError)


def test_missing_weights_are_one_line_and_the_exit_code_of_usage(data: Path) -> None:
    command = [sys.executable, "-m", "fetalclip_edge", "embed", "--data", str(data)]
    command += ["--store", str(data.parent / "store"), "--teacher", "fetalclip"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("fetalclip-edge: teacher fetalclip: expected its weights")
    assert done.stderr.count("\n") == 1


def test_ranks_of_torchrun_share_the_work(data: Path) -> None:
    zero = embed(data, RANK="0", WORLD_SIZE="2")  # five frames are one shard: all of it is his
    assert "embedded 5 images" in zero.stdout
    one = embed(data, RANK="1", WORLD_SIZE="2")
    assert "embedded 0 images" in one.stdout
    assert "cosine" not in one.stdout
    assert TeacherStore.open(data.parent / "store").views_per_frame == 2
