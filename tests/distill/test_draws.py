"""Draws are a function of seed, epoch and place: resumed or shared out, they are the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from distill.data.label_share import visible_labels
from distill.data.sample import Sample, Split
from distill.draws import Draw, Draws, draw_weights
from fetalclip_edge.errors import InputError


def _samples(groups: int = 30, each: int = 4) -> list[Sample]:
    return [
        Sample(Path(f"{data_set}{g}_{i}.png"), data_set, f"g{g}", Split.TRAIN, plane=i % 2)
        for data_set in ("A", "B")
        for g in range(groups)
        for i in range(each)
    ]


def _epoch(draws: Draws, epoch: int, batch: int = 0) -> list[Draw]:
    draws.begin(epoch, batch)
    return list(draws)


def test_an_epoch_that_goes_on_makes_the_draws_it_would_have_made() -> None:
    draws = Draws([1.0] * 50, seed=3, batch=8)
    whole = _epoch(draws, 5)
    assert len(whole) == 48
    assert _epoch(Draws([1.0] * 50, seed=3, batch=8), 5, 4) == whole[32:]
    assert _epoch(draws, 6) != whole
    assert _epoch(Draws([1.0] * 50, seed=4, batch=8), 5) != whole


def test_two_processes_share_out_the_draws_of_one() -> None:
    one = _epoch(Draws([1.0] * 50, seed=0, batch=8), 2)
    halves = [_epoch(Draws([1.0] * 50, seed=0, batch=8, rank=r, world=2), 2) for r in (0, 1)]
    shared = [
        draw for start in range(0, 24, 4) for half in halves for draw in half[start : start + 4]
    ]
    assert shared == one


def test_no_frame_comes_twice_in_a_batch_and_no_visit_is_like_another() -> None:
    draws = _epoch(Draws([5.0] * 4 + [1.0] * 46, seed=0, batch=10), 0)
    for start in range(0, len(draws), 10):
        assert len({draw.row for draw in draws[start : start + 10]}) == 10
    assert len({draw.seed for draw in draws}) == len(draws)


def test_an_epoch_has_whole_steps() -> None:
    assert Draws([1.0] * 50, seed=0, batch=8, accumulation=4).batches == 4


@pytest.mark.parametrize(
    ("weights", "batch", "world", "words"),
    [
        ([1.0] * 8, 16, 1, "at least 16"),
        ([1.0] * 50, 9, 2, "multiple of 2"),
        ([0.0] * 50, 8, 1, "with a label"),
    ],
)
def test_draws_that_cannot_be_made(
    weights: list[float], batch: int, world: int, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        Draws(weights, seed=0, batch=batch, world=world)


def test_a_share_of_the_labels_keeps_groups_together() -> None:
    samples = _samples()
    few, more = (visible_labels(samples, share, seed=1) for share in (0.1, 0.4))
    for visible, share in ((few, 0.1), (more, 0.4)):
        for data_set in ("A", "B"):
            of = [v for s, v in zip(samples, visible, strict=True) if s.data_set == data_set]
            assert sum(of) == pytest.approx(share * len(of), abs=4)
        seen = {(s.data_set, s.group, v) for s, v in zip(samples, visible, strict=True)}
        assert len(seen) == 60
    assert all(m for f, m in zip(few, more, strict=True) if f)
    assert visible_labels(samples, 0.1, seed=2) != few
    assert all(visible_labels(samples, 1.0, seed=1))


def test_hidden_labels_do_not_tell_through_the_draws() -> None:
    samples = _samples()
    visible = visible_labels(samples, 0.1, seed=1)
    weights = draw_weights(samples, visible, taught=True)
    hidden = Counter(
        (s.data_set, w) for s, v, w in zip(samples, visible, weights, strict=True) if not v
    )
    assert len(hidden) == 2  # one weight a data set, whatever the plane
    alone = draw_weights(samples, visible, taught=False)
    assert [w > 0 for w in alone] == list(visible)
