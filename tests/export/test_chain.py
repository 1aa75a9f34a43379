"""From frames and a teacher to a bundle, in small: what the bundle says of its descent."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from distill.cli.distill import command as distill
from distill.recipe import load_recipe
from distill.run_record import RunRecord
from distill.teacher.manifest import TeacherRecord
from export.cli.export import command as export
from export.lineage import embedding_space, teacher_name, weights_licence
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import EmbeddingSpace
from tests.distill.phantom_data import draw_data
from tests.distill.teacher.builder import tiny_folder, tiny_manifest
from tests.distill.tiny import LABELS_ALONE, TAUGHT, write_recipe


def test_frames_to_bundle(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    data = draw_data(tmp_path / "data")
    teacher = tiny_folder(tmp_path / "teacher")
    manifest = tiny_manifest(teacher, "model.safetensors")
    manifest.model_copy(update={"licence": "CC BY-NC 4.0"}).save(teacher)
    recipe = write_recipe(tmp_path, TAUGHT.replace("epochs = 3", "epochs = 15\nema_decay = 0.5"))
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    distill(data, run, recipe=recipe, teacher=str(teacher))
    export(run, data, bundle)
    made = load_bundle(bundle).manifest
    assert made.provenance.teacher == "tiny (stand-in)"
    assert made.provenance.teacher_licence == made.weights_licence == "CC BY-NC 4.0"
    assert made.provenance.recipe_sha256 == RunRecord.load(run).recipe.sha256
    assert made.embedding_space == EmbeddingSpace(name=manifest.record.space, dim=16)


def test_a_student_without_a_teacher_has_a_space_of_its_own(tmp_path: Path) -> None:
    recipe = load_recipe(write_recipe(tmp_path, LABELS_ALONE))
    record = RunRecord(
        recipe=recipe,
        recipe_sha256=recipe.sha256,
        embedding_dim=16,
        teacher=None,
        in_teacher_space=False,
        split_sha256="0" * 64,
    )
    assert embedding_space(record, "1.2").name == "supervised-resnet18_half-1.2"
    assert (teacher_name(None), weights_licence(None)) == (None, "Apache-2.0")


@pytest.mark.parametrize(
    ("licence", "inherited"),
    [
        ("CC BY-NC 4.0", True),
        ("Research-only", True),
        ("non-commercial use", True),
        ("CC0-1.0", False),
        ("NCSA", False),
        ("Apache-2.0", False),
    ],
)
def test_a_licence_without_commercial_use_is_inherited(licence: str, inherited: bool) -> None:
    teacher = TeacherRecord(name="t", licence=licence, stand_in=False, sha256="0" * 64)
    assert weights_licence(teacher) == (licence if inherited else "Apache-2.0")
    assert teacher_name(teacher) == "t"
