"""Every figure against a value worked out by hand, and what a bootstrap over groups must do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from distill.data.planes import BRAIN
from distill.evaluation.agreement import agreement
from distill.evaluation.bootstrap import Figure, Resampler
from distill.evaluation.heads import by_trimester, gate_scores, head_scores
from distill.evaluation.outcome import NONE_OF_THEM
from distill.evaluation.planes import FOUR, confusion_rows, f1_figure, macro_f1, plane_scores
from distill.evaluation.retention import f1_ratio
from tests.distill.evaluation.made import head

values = st.lists(st.floats(-100, 100), min_size=2, max_size=12)


def test_bland_altman_by_hand() -> None:
    # mean 1; squares about it 0 + 1 + 4 + 9 = 14; 14 / 3 is 2.160 squared; 1.96 of it is 4.234
    found = agreement([1.0, 2.0, 3.0, -2.0], ["a", "b", "c", "d"])
    assert found is not None
    assert found.bias.value == pytest.approx(1.0)
    assert found.lower.value == pytest.approx(-3.2341, abs=1e-4)
    assert found.upper.value == pytest.approx(5.2341, abs=1e-4)
    assert found.mean_abs.value == pytest.approx(2.0)
    assert found.bias.interval is not None
    assert found.bias.interval[0] < 1.0 < found.bias.interval[1]
    assert agreement([1.0], ["a"]) is None


def test_pooled_and_per_image_dsc_differ_as_they_should() -> None:
    # per image (1 + 0) / 2; pooled 2 * 10 / (10 + 10 + 30 + 30)
    scores = head_scores([head((10, 10, 10), number=1), head((0, 30, 30), number=2)])
    assert scores is not None
    assert scores.dsc.value == 0.5
    assert scores.dsc_pooled.value == 0.25
    assert scores.dsc.groups == 2


def test_a_head_that_was_not_measured_counts_for_dsc_alone() -> None:
    heads = [head(hc_mm=182.0), head(hc_mm=178.0, number=1), head(hc_mm=None, number=2)]
    scores = head_scores(heads)
    assert scores is not None
    assert scores.hc is not None
    assert (scores.dsc.n, scores.n_measured, scores.hc.bias.n) == (3, 2, 2)
    assert scores.hc.bias.value == 0.0
    assert scores.hc.mean_abs.value == 2.0
    gate = gate_scores([h.outcome for h in heads])
    assert gate.withheld is not None
    assert gate.withheld.value == pytest.approx(1 / 3)
    assert gate.shown_elsewhere is None


def test_trimesters_part_the_heads() -> None:
    heads = [
        head(true_hc_mm=mm, number=i) for i, mm in enumerate((60.0, 97.0, 100.0, 250.0, 300.0))
    ]
    found = [(item.trimester.value, item.scores.dsc.n) for item in by_trimester(heads)]
    assert found == [("first", 2), ("second", 2), ("third", 1)]


@given(values, st.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_frames_that_say_the_same_again_add_no_certainty(data: list[float], copies: int) -> None:
    names = [f"patient {i}" for i in range(len(data))]
    once = Resampler(names).mean(data)
    again = Resampler(names * copies).mean(data * copies)
    assert again.n == copies * once.n
    assert again.groups == once.groups
    assert again.value == pytest.approx(once.value, abs=1e-9)
    assert again.interval == pytest.approx(once.interval, abs=1e-9)


def test_frames_of_one_patient_are_drawn_together() -> None:
    data = [0.0, 0.0, 1.0, 1.0] * 10
    alone = Resampler([str(i) for i in range(40)]).mean(data)
    together = Resampler([str(i // 10) for i in range(40)]).mean(np.repeat([0, 0, 1, 1], 10))
    assert alone.interval is not None
    assert together.interval is not None
    assert alone.value == together.value == 0.5
    assert together.interval[0] < alone.interval[0] - 0.1
    # the binomial's standard error sqrt(0.25 / 40) times 1.96
    assert alone.interval[1] - 0.5 == pytest.approx(1.96 * math.sqrt(0.25 / 40), abs=0.03)


def test_one_group_has_no_interval() -> None:
    assert Resampler(["a", "a"]).mean([1.0, 2.0]) == Figure(1.5, None, 2, 1)
    with pytest.raises(ValueError, match="finite"):
        Figure(math.nan, None, 1, 1)


def test_a_share_of_none_has_an_exact_interval() -> None:
    # Clopper-Pearson, 0 of 10: 1 - 0.025 ** (1 / 10)
    none = Resampler([str(i) for i in range(10)]).share([False] * 10)
    assert none.interval == pytest.approx((0.0, 0.30850), abs=1e-5)
    every = Resampler([str(i) for i in range(10)]).share([True] * 10)
    assert every.interval == pytest.approx((0.69150, 1.0), abs=1e-5)


def test_macro_f1_by_hand() -> None:
    # class 0: TP 1, FN 1, FP 0 -> 2/3; class 1: TP 1, FN 0, FP 1 -> 2/3
    sums = confusion_rows([0, 0, 1], [0, 1, 1]).sum(axis=0)
    assert macro_f1(sums, FOUR) == pytest.approx(2 / 3)


planes = st.integers(0, 5)
pairs = st.lists(st.tuples(planes, st.integers(0, NONE_OF_THEM)), min_size=1, max_size=30)


@given(pairs)
def test_macro_f1_is_that_of_scikit_learn(said: list[tuple[int, int]]) -> None:
    truth, guess = [t for t, _ in said], [g for _, g in said]
    there = sorted(set(truth))
    wanted = f1_score(truth, guess, labels=there, average="macro", zero_division=0.0)
    sums = confusion_rows(truth, guess).sum(axis=0)
    assert macro_f1(sums, range(6)) == pytest.approx(wanted)


def test_four_classes_leave_the_others_out() -> None:
    groups = ["a", "b", "c", "d"]
    figure = f1_figure([0, 1, 4, 5], [0, 1, 0, 0], groups, FOUR)
    assert figure is not None
    assert (figure.value, figure.n) == (1.0, 2)
    assert f1_figure([4], [4], ["a"], FOUR) is None


def test_plane_scores_say_what_was_taken_for_what() -> None:
    scores = plane_scores(
        "bank",
        [0, 0, 1, 4],
        [0, NONE_OF_THEM, 1, 1],
        ["a", "b", "c", "d"],
        known=(0, 1, 4),
        zero_shot=True,
        stand_in=True,
    )
    assert scores is not None
    assert [item.name for item in scores.by_class] == ["brain", "abdomen", "cervix"]
    assert scores.guesses == ("brain", "abdomen", "cervix", "none of these")
    assert scores.confusion == ((1, 0, 0, 1), (0, 1, 0, 0), (0, 1, 0, 0))
    brain, abdomen, cervix = scores.by_class
    assert (brain.precision, brain.recall) == (1.0, 0.5)
    assert abdomen.f1.value == pytest.approx(2 / 3)
    assert (cervix.precision, cervix.recall) == (None, 0.0)
    assert scores.all is not None
    assert scores.all.value == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)


def test_retention_by_hand_and_in_pairs() -> None:
    truth, groups = [0, 0, 1, 1], ["a", "b", "c", "d"]
    # student: one brain of two missed: F1 (2/3 + 4/5) / 2; the teacher is right throughout
    figure = f1_ratio(truth, [0, 1, 1, 1], truth, groups)
    assert figure.value == pytest.approx((2 / 3 + 4 / 5) / 2)
    # both are wrong on the same frames, so in each draw they are equal: no interval at all
    same = f1_ratio(truth, [0, 1, 1, 1], [0, 1, 1, 1], groups)
    assert same.interval == (1.0, 1.0)
    assert f1_ratio([BRAIN, 5], [BRAIN, 0], [BRAIN, 5], ["a", "b"]).n == 1
