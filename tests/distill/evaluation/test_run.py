"""The whole evaluation: the command over a tiny data folder, banks, teachers, refusals."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from distill.cli.evaluate import command
from distill.data.planes import PLANES
from distill.data.sample import Sample, Split
from distill.data.standard import load_standard
from distill.evaluation.evaluation import Evaluation
from distill.evaluation.heads import head_outcomes
from distill.evaluation.outcome import NONE_OF_THEM, evaluate
from distill.evaluation.report import Pictures, make_page
from distill.evaluation.run import Evaluated, check_unseen, run_evaluation
from distill.evaluation.summary import main_rows
from distill.evaluation.teacher import TeacherEmbeddings
from export.pack import _metrics
from fetalclip_edge.bundle.load import default_bundle_path, load_bundle
from fetalclip_edge.errors import BundleError, CheckFailedError, ImageError, InputError
from fetalclip_edge.frame import Frame
from fetalclip_edge.model import Model
from fetalclip_edge.result import Classification, Result
from tests.distill.evaluation.made import HEADS, write_data
from tests.report.test_page import Reader


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


def watch(samples: Sequence[Sample], _: str) -> Iterable[Sample]:
    return samples


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "fetalclip_edge", "evaluate", *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)


def test_the_command_measures_phantoms_and_twice_the_same(data: Path, tmp_path: Path) -> None:
    done = run("--data", str(data), "--output-dir", str(tmp_path / "one"))
    assert done.returncode == 0, done.stderr
    command(data=data, output_dir=tmp_path / "two", pictures=False)
    first, second = (tmp_path / name / "evaluation.json" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    evaluation = Evaluation.from_json(first.read_text())
    assert evaluation.json() == first.read_text()
    assert evaluation.heads is not None
    assert evaluation.heads.hc is not None
    assert (evaluation.heads.dsc.n, evaluation.heads.dsc.groups) == (HEADS[45], 1)
    assert evaluation.heads.dsc.value > 0.95
    assert evaluation.heads.hc.mean_abs.value < 0.03 * 190
    assert evaluation.bundle.digest == load_bundle(default_bundle_path()).digest
    assert {part.split for part in evaluation.data} == {split.value for split in Split}
    assert evaluation.planes[0].four.n == 8
    assert evaluation.probe is not None
    assert evaluation.shortcut is not None
    assert evaluation.retention is None
    assert "head DSC, mean per image" in done.stdout
    assert "evaluation.html" in done.stderr
    page = (tmp_path / "one" / "evaluation.html").read_text()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.tags.count("img") >= 3
    assert re.search(r"\b045_\d?HC\.png\b", reader.words)  # one of the test heads is pictured
    bare = (tmp_path / "two" / "evaluation.html").read_text()
    assert "base64" not in bare
    assert "<svg" in bare


def test_what_cannot_be_done_is_one_line(data: Path) -> None:
    done = run("--data", str(data), "--output-dir", "/dev/null/x")
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("fetalclip-edge: --output-dir /dev/null/x: expected a folder")
    assert done.stderr.count("\n") == 1


def test_what_cannot_be_used_leaves_nothing_behind(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="HC18: expected"):
        command(data=tmp_path, output_dir=tmp_path / "out")
    with pytest.raises(BundleError, match="bundle"):
        command(data=data, output_dir=tmp_path / "out", model=tmp_path)
    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    next((broken / "planes" / "Images").iterdir()).write_bytes(b"no image")
    with pytest.raises(ImageError, match="decoded"):
        command(data=broken, output_dir=tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.fixture(scope="module")
def evaluated(data: Path) -> Evaluated:
    def ask(samples: Sequence[Sample]) -> TeacherEmbeddings:
        rows = np.eye(len(PLANES), dtype=np.float32)[[sample.plane or 0 for sample in samples]]
        return TeacherEmbeddings("oracle", "CC0-1.0", True, "oracle-0", rows)

    with Model(threads=1) as model:
        return run_evaluation(model, load_standard(data), watch, ask)


def test_a_teacher_stands_beside_the_student_and_a_stand_in_is_called_so(
    evaluated: Evaluated,
) -> None:
    done = evaluated
    kept = done.evaluation.retention
    assert kept is not None
    assert kept.probe.all_labels.four.value == 1.0
    assert kept.zero_shot == ()  # the shipped bundle lives in another space
    assert done.evaluation.probe is not None
    student = done.evaluation.probe.all_labels.four.value
    assert kept.f1_ratio.value == pytest.approx(student)
    named = [row.metric for row in main_rows(done.evaluation) if "oracle" in row.metric]
    assert named
    assert all("stand-in" in name for name in named)
    page = make_page(done.evaluation, head_outcomes(done.test), Pictures()).html()
    assert "is a stand-in" in page
    assert "oracle (stand-in)" in page


class WithBank:
    """A session with a text bank of FetalCLIP's names beside its plane head."""

    def __init__(self, model: Model, label: str) -> None:
        self._session = model.session(gate=False)
        names = ("brain", "heart", "kidney")
        self._bank = Classification(
            "planes-bank", "zero-shot", label, 0.8, tuple((name, 1 / 3) for name in names)
        )

    def process(self, frame: Frame, *, want_masks: bool = False) -> Result:
        """The session's result, and what the bank says."""
        result = self._session.process(frame, want_masks=want_masks)
        return Result(
            frame_index=result.frame_index,
            timestamp_ns=result.timestamp_ns,
            geometry_epoch=result.geometry_epoch,
            classifications=(*result.classifications, self._bank),
            structures=result.structures,
            measurements=result.measurements,
            latency=result.latency,
            embedding=result.embedding,
        )


@pytest.mark.parametrize(("label", "plane"), [("heart", 3), ("kidney", NONE_OF_THEM)])
def test_a_text_bank_is_scored_beside_the_head(data: Path, label: str, plane: int) -> None:
    samples = [sample for sample in load_standard(data) if sample.split is Split.TEST][:1]
    with Model(threads=1) as model:
        (outcome,) = evaluate(WithBank(model, label), samples)
    head, bank = outcome.verdicts
    assert (head.head, head.zero_shot, head.known) == ("plane", False, tuple(range(6)))
    assert (bank.head, bank.zero_shot, bank.known) == ("planes-bank", True, (0, 3))
    assert bank.plane == plane


def test_a_frame_that_was_trained_on_is_no_test_frame() -> None:
    manifest = load_bundle(default_bundle_path()).manifest
    source = manifest.provenance.data[0]
    seen = Sample(Path(source.trained_on[0]), source.name, "a", Split.TEST, 0)
    with pytest.raises(CheckFailedError, match=r"1 that it was, the first Patient"):
        check_unseen(manifest, [seen])


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"schema_id": "fetalclip-edge/evaluation/2"}'])
def test_another_file_is_no_evaluation(text: str) -> None:
    with pytest.raises(InputError, match="fetalclip-edge/evaluation/1"):
        Evaluation.from_json(text)


def test_a_bundle_is_packed_with_the_same_figures(data: Path, evaluated: Evaluated) -> None:
    samples = [sample for sample in load_standard(data) if sample.split is Split.TEST]
    with Model(threads=1) as model:
        metrics = _metrics(model.session(gate=False), model.session(), samples)
    evaluation = evaluated.evaluation
    by_name = {metric.name: metric for metric in metrics}
    assert len(by_name) == 5
    assert evaluation.heads is not None
    assert by_name["head DSC"].value == round(evaluation.heads.dsc.value, 4)
    f1 = by_name["plane macro F1 over brain, abdomen, femur, thorax"]
    assert f1.value == round(evaluation.planes[0].four.value, 4)
    assert json.loads(evaluation.json())["schema_id"] == "fetalclip-edge/evaluation/1"
