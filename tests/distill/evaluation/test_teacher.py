"""What a teacher's own embeddings say by a bundle's banks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from distill.data.planes import PLANES
from distill.evaluation.outcome import NONE_OF_THEM
from distill.evaluation.teacher import zero_shot_verdicts
from fetalclip_edge.textbank.file import bank_bytes
from tests.bundle.builder import DIM
from tests.textbank.builder import age_bank, bundle_with, plane_bank


def test_each_bank_of_planes_is_asked(tmp_path: Path) -> None:
    words = np.eye(3, DIM, dtype=np.float32)  # of brain, heart and kidney
    bundle = bundle_with(tmp_path / "b", plane_bank(bank_bytes(words)), age_bank())
    (said,) = zero_shot_verdicts(bundle, words[[1, 0, 2]])
    thorax, brain = PLANES.index("thorax"), PLANES.index("brain")
    assert [verdict.plane for verdict in said] == [thorax, brain, NONE_OF_THEM]
    assert {(verdict.head, verdict.zero_shot) for verdict in said} == {("words", True)}
