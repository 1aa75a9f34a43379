"""The scripted runner keeps the contract of a runner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fetalclip_edge.runners.scripted import SCRIPTED, ScriptedRunner

FIRST = {"plane": np.zeros((1, 2), np.float32)}
SECOND = {"plane": np.ones((1, 2), np.float32)}
TENSOR = np.zeros((1, 1, 32, 32), np.uint8)


def test_cycles_for_each_context_on_its_own() -> None:
    with ScriptedRunner([FIRST, SECOND]) as runner:
        one, two = runner.new_context(), runner.new_context()
        assert [one.infer(TENSOR) for _ in range(3)] == [FIRST, SECOND, FIRST]
        assert two.infer(TENSOR) is FIRST
        assert runner.info() == SCRIPTED


@pytest.mark.parametrize(
    "tensor",
    [
        TENSOR.astype(np.float32),
        TENSOR[0],
        np.zeros((1, 3, 32, 32), np.uint8),
        np.zeros((1, 1, 32, 16), np.uint8),
        np.zeros((), np.uint8),
    ],
)
@pytest.mark.parametrize("size_px", [None, 32])
def test_wrong_tensor(tensor: Any, size_px: int | None) -> None:
    with (
        ScriptedRunner([FIRST], size_px=size_px) as runner,
        pytest.raises(ValueError, match=r"uint8 of shape \(1, 1, .*got"),
    ):
        runner.new_context().infer(tensor)


@pytest.mark.parametrize("array", [np.zeros((2, 2), np.float32), np.zeros((1, 2))])
def test_wrong_outputs(array: Any) -> None:
    with pytest.raises(ValueError, match="output 'x' of step 1 must be float32"):
        ScriptedRunner([FIRST, {"x": array}])


def test_no_outputs() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ScriptedRunner([])


def test_must_be_entered() -> None:
    with pytest.raises(RuntimeError, match="must be entered"):
        ScriptedRunner([FIRST]).new_context()
