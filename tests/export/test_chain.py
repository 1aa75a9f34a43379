"""From frames and a teacher to a bundle, in small: what the bundle says of its descent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill.cli.distill import command as distill
from distill.recipe import load_recipe
from distill.run_record import RunRecord
from distill.teacher.manifest import TeacherRecord
from export import tensorrt_files
from export.cli.export import command as export
from export.lineage import data_source, embedding_space, teacher_name, weights_licence
from export.pack import check_heads
from export.parity import FP16
from fetalclip_edge.bundle.load import load_bundle
from fetalclip_edge.bundle.manifest import EmbeddingSpace, SegmentationHead
from fetalclip_edge.errors import UsageError
from tests.distill.phantom_data import draw_data
from tests.distill.teacher.builder import tiny_folder, tiny_manifest
from tests.distill.tiny import LABELS_ALONE, TAUGHT, write_recipe


def test_frames_to_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    # the pixels of 64-pixel frames are four times as large as those of real ones
    monkeypatch.setattr(tensorrt_files, "FP16", replace(FP16, hc_mm_max=4 * FP16.hc_mm_max))
    data = draw_data(tmp_path / "data")
    teacher = tiny_folder(tmp_path / "teacher")
    manifest = tiny_manifest(teacher, "model.safetensors")
    manifest.model_copy(update={"licence": "CC BY-NC 4.0"}).save(teacher)
    text = TAUGHT.replace("epochs = 3", "epochs = 15\nema_decay = 0.5")
    text = text.replace("[student]", '[student]\nstructures = ["head", "femur"]')
    recipe = write_recipe(tmp_path, text)
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    distill(data, run, recipe=recipe, teacher=str(teacher))
    export(run, data, bundle)
    made = load_bundle(bundle).manifest
    assert made.provenance.teacher == "tiny (stand-in)"
    assert made.provenance.teacher_licence == made.weights_licence == "CC BY-NC 4.0"
    assert made.provenance.recipe_sha256 == RunRecord.load(run).recipe.sha256
    assert made.embedding_space == EmbeddingSpace(name=manifest.record.space, dim=16)
    outlined = next(head for head in made.heads if isinstance(head, SegmentationHead))
    measured = {s.name: [m.kind for m in s.measurements] for s in outlined.structures}
    assert measured == {"head": ["HC", "BPD", "OFD"], "femur": []}


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
    assert (teacher_name(None), weights_licence(None, ())) == (None, "Apache-2.0")


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
    assert weights_licence(teacher, ()) == (licence if inherited else "Apache-2.0")
    assert teacher_name(teacher) == "t"


def test_what_is_not_known_of_own_frames_is_not_made_up() -> None:
    own, public = data_source("ward 7", ["a.png"]), data_source("HC18", ["001_HC.png"])
    assert (own.licence, own.credit, own.trained_on) == ("not stated", "not stated", ("a.png",))
    assert weights_licence(None, (public,)) == "Apache-2.0"
    assert weights_licence(None, (public, own)) == "not stated"


@pytest.mark.parametrize(
    ("change", "arrived"),
    [
        (("[losses.plane]\nweight = 0.5", ""), "losses: mask"),
        (("[losses.mask]\nweight = 1.0", ""), "losses: plane"),
        (("[student]", '[student]\nstructures = ["femur", "head"]'), "structures: femur, head"),
    ],
)
def test_heads_that_were_never_trained_are_not_exported(
    change: tuple[str, str], arrived: str, tmp_path: Path
) -> None:
    recipe = load_recipe(write_recipe(tmp_path, LABELS_ALONE.replace(*change)))
    with pytest.raises(UsageError, match=arrived):
        check_heads(recipe)
