"""What a visit to a frame gives: the teacher's view, noise on top, and only visible labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from distill.data.cache import CachedFrames
from distill.data.standard import load_standard
from distill.draws import Draw, Draws
from distill.train_frames import Batch, TrainFrames
from tests.distill.phantom_data import draw_data
from tests.distill.tiny import DrawnStore


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> CachedFrames:
    return CachedFrames(load_standard(draw_data(tmp_path_factory.mktemp("data"))), 64)


def _same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_the_student_sees_the_view_of_its_teacher(cached: CachedFrames) -> None:
    store = DrawnStore(cached.samples)
    frames = TrainFrames(cached, [True] * len(cached), store)
    seen = set()
    for seed in range(24):
        got = frames[Draw(0, seed)]
        k = next(
            k
            for k in range(store.views_per_frame)
            if np.array_equal(got.teacher.numpy(), store.embedding(0, k).astype(np.float32))
        )
        seen.add(k)
        # noise changes the frame alone, so the mask is exactly that of the view
        assert torch.equal(got.mask, store.view(0, k).apply_mask(cached.masks[0]))
        clean = store.view(0, k).apply(cached.frames[0])
        moved = (got.frame.float() - clean.float()).abs().mean()
        other = (got.frame.float() - cached.frames[1].float()).abs().mean()
        assert moved < 0.7 * other
    assert seen == set(range(store.views_per_frame))


@pytest.mark.parametrize("taught", [False, True])
def test_a_draw_is_the_same_here_and_in_a_worker(cached: CachedFrames, taught: bool) -> None:
    store = DrawnStore(cached.samples) if taught else None
    frames = TrainFrames(cached, [True] * len(cached), store)
    before = torch.get_rng_state()
    draws = Draws([1.0] * len(cached), seed=0, batch=4)
    here = [frames[draw] for draw in draws]
    assert torch.equal(torch.get_rng_state(), before)  # the run's own randomness is untouched
    there = DataLoader(frames, batch_size=4, sampler=draws, num_workers=1)
    for start, batch in enumerate(there):
        for k in range(4):
            assert _same(Batch(*(part[k] for part in batch)), here[4 * start + k])
    assert not _same(frames[Draw(0, 1)], frames[Draw(0, 2)])


def test_a_hidden_label_is_not_there(cached: CachedFrames) -> None:
    frames = TrainFrames(cached, [False] + [True] * (len(cached) - 1), None)
    hidden, shown = frames[Draw(0, 0)], frames[Draw(1, 0)]
    assert (int(hidden.plane), bool(hidden.labelled)) == (-1, False)
    assert (int(shown.plane), bool(shown.labelled)) == (0, True)
    assert hidden.teacher.shape == (0,)
