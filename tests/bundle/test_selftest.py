"""The self-test: right answers pass, and every kind of drift is named with its limit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.runners.base import Outputs
from fetalclip_edge.runners.scripted import ScriptedRunner
from fetalclip_edge.selftest import GoldenOutcome, check_self_test, run_self_test
from fetalclip_edge.session import Session
from tests.bundle.builder import (
    FRAME_PATH,
    MASK_PATH,
    ORT_FP32,
    head_outputs,
    tiny_bundle,
    with_reference,
)


def session(bundle: Bundle, outputs: Outputs, **info: str) -> Session:
    runner = ScriptedRunner([outputs], replace(ORT_FP32, **info), size_px=64)
    with runner:
        return Session(bundle, runner)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    plain = tiny_bundle(tmp_path / "tiny")
    return with_reference(plain, session(plain, head_outputs()))


def changed(name: str, change: Callable[[Any], Any]) -> Outputs:
    outputs = dict(head_outputs())
    outputs[name] = np.asarray(change(outputs[name]), np.float32)
    return outputs


def outcome(bundle: Bundle, outputs: Outputs) -> GoldenOutcome:
    (found,) = run_self_test(bundle, session(bundle, outputs))
    return found


def test_right_answers_pass(bundle: Bundle) -> None:
    found = outcome(bundle, head_outputs())
    assert found.passed
    assert found.name == FRAME_PATH
    assert found.embedding_cosine == pytest.approx(1.0)
    assert found.probability_abs_max == pytest.approx(0.0, abs=1e-6)
    assert found.mask_dsc == 1.0
    assert found.hc_mm_abs == pytest.approx(0.0, abs=1e-6)
    check_self_test([found])


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("embedding", lambda x: x[:, ::-1], "embedding cosine: expected at least 0.999, got 0."),
        ("embedding", lambda x: x * np.nan, "'embedding': expected finite numbers, got infinite"),
        ("embedding", lambda x: x[:, :4], "embedding cosine: expected at least 0.999, got nan"),
        ("embedding", lambda x: x * 0, "embedding cosine: expected at least 0.999, got nan"),
        ("plane", lambda x: x / 3, "plane score difference: expected at most 0.01, got 0."),
        ("plane", lambda x: x * np.nan, "'plane': expected finite numbers, got infinite"),
        ("mask", lambda x: x + 5, "HC difference in mm: expected at most 0.5, got"),
        ("mask", lambda x: x[:, :, ::-1], "mask Dice: expected at least 0.98, got 0."),
        ("mask", lambda x: x * 0 - 1, "got none (withheld)"),
    ],
)
def test_drift_is_named(
    bundle: Bundle, name: str, change: Callable[[Any], Any], reason: str
) -> None:
    found = outcome(bundle, changed(name, change))
    assert not found.passed
    assert any(reason in text for text in found.reasons), found.reasons
    with pytest.raises(CheckFailedError) as caught:
        check_self_test([outcome(bundle, head_outputs()), found])
    message = str(caught.value)
    assert f"failed on 1 of 2 golden frames. golden frame {FRAME_PATH}: " in message
    assert reason in message
    assert "Do not use this machine with this model" in message


def test_measured_where_the_reference_withheld(tmp_path: Path) -> None:
    plain = tiny_bundle(tmp_path / "tiny")
    bundle = with_reference(plain, session(plain, head_outputs()), hc_mm=None)
    found = outcome(bundle, head_outputs())
    assert found.reasons[0].startswith("HC: expected none (withheld), got ")


def test_both_withheld_is_equal(tmp_path: Path) -> None:
    empty = changed("mask", lambda x: x * 0 - 1)
    plain = tiny_bundle(tmp_path / "tiny")
    found = outcome(with_reference(plain, session(plain, empty)), empty)
    assert found.passed
    assert found.hc_mm_abs is None
    assert found.mask_dsc == 1.0


@pytest.mark.parametrize("name", [FRAME_PATH, MASK_PATH])
@pytest.mark.parametrize("data", [b"", b"no image", None])
def test_lost_golden_file_is_an_outcome(bundle: Bundle, name: str, data: bytes | None) -> None:
    (bundle.folder / name).unlink()
    if data is not None:
        (bundle.folder / name).write_bytes(data)
    found = outcome(bundle, head_outputs())
    assert not found.passed
    assert name in found.reasons[0]


@pytest.mark.parametrize("info", [{"precision": "int8"}, {"backend": "scripted"}])
def test_nothing_to_judge_by(bundle: Bundle, info: dict[str, str]) -> None:
    with pytest.raises(CheckFailedError, match=r"got tolerances for onnxruntime/fp32\. Choose"):
        run_self_test(bundle, session(bundle, head_outputs(), **info))


def test_no_outcomes_are_no_pass() -> None:
    with pytest.raises(CheckFailedError, match="0 of 0"):
        check_self_test([])
