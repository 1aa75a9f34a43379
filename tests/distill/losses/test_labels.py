"""Losses against hand-computed values, and what an unlabelled frame adds: nothing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from distill.data.sample import Sample, Split, check_no_leak
from distill.losses import dice_loss, mask_loss, plane_loss
from fetalclip_edge.errors import CheckFailedError


def test_dice_by_hand() -> None:
    logits = torch.zeros(1, 1, 1, 2)  # probabilities 0.5 and 0.5
    target = torch.tensor([[[[1.0, 0.0]]]])
    # overlap 0.5, sums 1 + 1, smoothing 1: 1 - (2 * 0.5 + 1) / (2 + 1)
    assert float(dice_loss(logits, target)) == pytest.approx(1 - 2 / 3)


def test_mask_loss_by_hand() -> None:
    logits, target = torch.zeros(1, 1, 1, 2), torch.tensor([[[[1.0, 0.0]]]])
    loss = float(mask_loss(logits, target, torch.tensor([[True]])))
    assert loss == pytest.approx(1 - 2 / 3 + math.log(2))


def test_an_unlabelled_mask_is_not_background() -> None:
    logits = torch.randn(2, 1, 8, 8, requires_grad=True)
    loss = mask_loss(logits, torch.zeros(2, 1, 8, 8), torch.tensor([[True], [False]]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert float(logits.grad[0].abs().sum()) > 0
    assert float(logits.grad[1].abs().sum()) == 0


def test_each_structure_has_its_own_flag() -> None:
    logits = torch.randn(2, 2, 8, 8, requires_grad=True)
    target = torch.rand(2, 2, 8, 8)
    labelled = torch.tensor([[True, False], [True, True]])
    loss = mask_loss(logits, target, labelled)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    moved = logits.grad.abs().sum(dim=(2, 3)) > 0
    assert torch.equal(moved, labelled)
    # every labelled mask weighs the same
    singles = [
        mask_loss(logits[i : i + 1, m : m + 1], target[i : i + 1, m : m + 1], torch.ones(1, 1) > 0)
        for i, m in ((0, 0), (1, 0), (1, 1))
    ]
    mean = torch.stack(singles).mean()
    assert float(loss.detach()) == pytest.approx(float(mean.detach()), rel=1e-5)


def test_an_unlabelled_plane_adds_nothing() -> None:
    logits = torch.tensor([[2.0, 0.0], [9.0, -9.0]])
    loss = float(plane_loss(logits, torch.tensor([0, -1]), smoothing=0.0))
    assert loss == pytest.approx(math.log(1 + math.exp(-2)))
    assert float(plane_loss(logits, torch.tensor([-1, -1]))) == 0.0


def test_a_leaking_split_is_refused() -> None:
    both = [
        Sample(Path(name), "HC18", "block 1", split)
        for name, split in (("a.png", Split.TRAIN), ("b.png", Split.TEST))
    ]
    with pytest.raises(CheckFailedError, match="block 1 in train and test"):
        check_no_leak(both)


def test_structures_of_one_frame_are_labelled_one_by_one() -> None:
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    labelled = torch.tensor([[True, False, False], [True, True, False]])
    target = torch.rand(2, 3, 8, 8)
    loss = mask_loss(logits, target, labelled)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert torch.equal(logits.grad.abs().sum(dim=(2, 3)) > 0, labelled)
    alone = [
        mask_loss(logits[b : b + 1, m : m + 1], target[b : b + 1, m : m + 1], torch.tensor([True]))
        for b, m in ((0, 0), (1, 0), (1, 1))
    ]
    assert float(loss.detach()) == pytest.approx(
        float(sum(a.detach() for a in alone)) / 3, rel=1e-5
    )


def test_a_batch_without_any_label_gives_zero_and_a_graph() -> None:
    logits = torch.randn(2, 1, 8, 8, requires_grad=True)
    loss = mask_loss(logits, torch.zeros(2, 1, 8, 8), torch.tensor([False, False]))
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == 0
    assert logits.grad is not None
