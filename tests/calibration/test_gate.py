"""The gate's figures by hand, and that each of them can close it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from calibration.gate import Limits, judge
from calibration.held_out import Outcome
from fetalclip_edge.errors import CheckFailedError, InputError
from fetalclip_edge.labelled_frames import LabelledFrame

PLANES = ("brain", "femur")


def reference(heads: int = 100, planes: int = 100) -> list[Outcome]:
    outcomes = []
    for number in range(heads):
        frame = LabelledFrame(Path(f"h{number}"), "A", "test", "brain", Path("o"), 0.1)
        outcomes.append(Outcome(frame, 200.0 + number % 7, 0.97, "brain", None))
    for number in range(planes):
        plane = PLANES[number % 2]
        frame = LabelledFrame(Path(f"p{number}"), "B", "test", plane)
        outcomes.append(Outcome(frame, None, None, plane, None))
    return outcomes


def test_the_same_outcomes_pass_with_nothing_lost() -> None:
    verdict = judge(reference(), reference())
    assert verdict.passed
    assert [f.value for f in verdict.figures] == [0.0, 0.0, 0.0, 0.0]
    assert [f.upper_95 for f in verdict.figures] == [0.0, 0.0, 0.0, 0.0]
    assert [f.n for f in verdict.figures] == [100, 100, 100, 100]
    assert [f.data for f in verdict.figures] == ["A", "A", "A", "B"]


def test_changes_of_either_sign_count_by_their_size() -> None:
    # +0.2 and -0.2 mm in turns: the mean of the changes is 0, that of their sizes 0.2
    changed = [
        o if o.hc_mm is None else replace(o, hc_mm=o.hc_mm + (0.2 if i % 2 else -0.2))
        for i, o in enumerate(reference())
    ]
    verdict = judge(reference(), changed)
    mean, p95, *_ = verdict.figures
    assert mean.value == pytest.approx(0.2)
    assert mean.upper_95 == pytest.approx(0.2)
    assert p95.value == pytest.approx(0.2)
    assert verdict.passed


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda o, i: replace(o, hc_mm=o.hc_mm and o.hc_mm + 0.31), "hc_change_mean_mm"),
        # 8 % of the frames by 2 mm: 0.16 mm in the mean, and beyond 1 mm at the 95th percentile
        (lambda o, i: replace(o, hc_mm=o.hc_mm and o.hc_mm + 2.0 * (i % 12 == 0)),
         "hc_change_p95_mm"),
        (lambda o, i: replace(o, dsc=o.dsc and o.dsc - 0.0021), "dsc_drop"),
        (lambda o, i: replace(o, plane="brain" if i in (101, 151) else o.plane), "plane_f1_drop"),
    ],
)  # fmt: skip
def test_each_figure_closes_the_gate_by_itself(
    change: Callable[[Outcome, int], Outcome], name: str
) -> None:
    changed = [change(outcome, index) for index, outcome in enumerate(reference())]
    verdict = judge(reference(), changed)
    assert not verdict.passed
    assert any(reason.startswith(name) for reason in verdict.reasons), verdict.reasons
    with pytest.raises(CheckFailedError, match=name):
        verdict.accepted()


def test_the_bound_decides_not_the_value() -> None:
    # one frame in a hundred by 25 mm: 0.25 mm in the mean, but a draw may hold it twice
    changed = [
        replace(o, hc_mm=o.hc_mm and o.hc_mm + 25.0 * (i == 0)) for i, o in enumerate(reference())
    ]
    mean = judge(reference(), changed).figures[0]
    assert mean.value == pytest.approx(0.25)
    assert mean.upper_95 > 0.3
    assert not mean.passed


def test_macro_f1_by_hand() -> None:
    # 2 of 50 femurs said to be brains: brain 100/102, femur 96/98, instead of 1 and 1
    changed = [
        replace(o, plane="brain" if i in (101, 151) else o.plane) for i, o in enumerate(reference())
    ]
    drop = judge(reference(), changed).figures[3]
    assert drop.value == pytest.approx(1 - (100 / 102 + 96 / 98) / 2)


def test_a_gain_is_no_loss() -> None:
    wrong = [
        replace(o, plane="brain" if i in (101, 151) else o.plane) for i, o in enumerate(reference())
    ]
    drop = judge(wrong, reference()).figures[3]
    assert drop.value < 0
    assert drop.passed


def test_a_head_that_one_file_alone_finds_closes_the_gate() -> None:
    changed = reference()
    changed[5] = replace(changed[5], hc_mm=None)
    verdict = judge(reference(), changed)
    assert verdict.lost == 1
    assert not verdict.passed
    assert "1 heads found by one file alone" in verdict.reasons


@pytest.mark.parametrize(("heads", "planes"), [(99, 100), (100, 99), (0, 0)])
def test_too_few_frames_are_no_verdict(heads: int, planes: int) -> None:
    few = reference(heads, planes)
    with pytest.raises(InputError, match="at least 100"):
        judge(few, few)


def test_what_passed_stands_in_the_manifest_with_its_limit() -> None:
    figures = judge(reference(), reference(), Limits(dsc_drop=0.001)).accepted()
    assert {f.name: f.limit for f in figures} == {
        "hc_change_mean_mm": 0.3, "hc_change_p95_mm": 1.0, "dsc_drop": 0.001,
        "plane_f1_drop": 0.005,
    }  # fmt: skip
