"""The exported student: what torch says, in a graph that TensorRT's parser takes."""

from __future__ import annotations

import numpy as np
import onnx
import torch

from distill.model import Student, StudentSpec
from export.lint import lint
from export.onnx_file import described, to_onnx
from export.parity import onnx_run, torch_run


def test_a_student_says_the_same_in_onnx_and_the_graph_is_folded() -> None:
    torch.manual_seed(0)
    student = Student(StudentSpec("resnet18_half"))
    state = student.state_dict()
    exported = Student(StudentSpec("resnet18_half"))
    exported.load_state_dict(state)
    model = described(to_onnx(exported, 64), bundle="b", version="1", precision="fp32")
    graph = onnx.load_model_from_string(model)
    assert lint(graph) == ()
    assert {p.key: p.value for p in graph.metadata_props} == {
        "bundle": "b", "version": "1", "precision": "fp32"
    }  # fmt: skip
    frame = np.random.default_rng(0).integers(0, 256, (1, 1, 64, 64)).astype(np.uint8)
    want, got = torch_run(student)(frame), onnx_run(model)(frame)
    assert set(want) == set(got) == {"embedding", "plane", "mask"}
    for name, values in want.items():
        np.testing.assert_allclose(got[name], values, atol=2e-3)
