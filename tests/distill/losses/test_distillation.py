"""Each loss of distillation against a value worked out by hand, and where it is zero."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from distill.losses import (
    bank_loss,
    clip_loss,
    feature_loss,
    interactive_loss,
    relational_loss,
    repulsive_loss,
)

RIGHT, UP, LEFT = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def test_feature_by_hand() -> None:
    student, teacher = torch.tensor([RIGHT, RIGHT]), torch.tensor([UP, RIGHT])
    # squared differences 1, 1, 0, 0
    assert float(feature_loss(student, teacher)) == pytest.approx(0.5)


def test_feature_is_a_scaled_cosine() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (F.normalize(torch.randn(5, 16, generator=generator), dim=1) for _ in range(2))
    expected = 2 * (1 - (a * b).sum(1)).mean() / 16
    assert float(feature_loss(a, b)) == pytest.approx(float(expected), rel=1e-5)


def test_relational_by_hand() -> None:
    student = torch.tensor([RIGHT, UP, LEFT])
    teacher = torch.tensor([RIGHT, RIGHT, UP])
    # cosines to the others, frame by frame. student: (0, -1), (0, 0), (-1, 0);
    # teacher: (1, 0), (1, 0), (0, 0)
    high, low = math.e / (1 + math.e), 1 / (1 + math.e)  # softmax of two numbers 1 apart
    sure = -(high * math.log(high) + low * math.log(low))
    first = 0.0  # (0, -1) and (1, 0) have the same softmax
    second = math.log(2) - sure
    third = 0.5 * math.log(0.5 / low) + 0.5 * math.log(0.5 / high)
    expected = (first + second + third) / 3
    assert float(relational_loss(student, teacher, 1.0)) == pytest.approx(expected, rel=1e-5)


def test_relational_ignores_a_rotation_of_the_space() -> None:
    generator = torch.Generator().manual_seed(1)
    teacher = F.normalize(torch.randn(6, 8, generator=generator), dim=1)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    assert float(relational_loss(teacher @ rotation, teacher, 0.1)) == pytest.approx(0, abs=1e-5)


def test_interactive_by_hand() -> None:
    student, anchors = torch.tensor([RIGHT, RIGHT]), torch.tensor([RIGHT, UP])
    # logits [[2, 0], [2, 0]]: rows log(1 + e^-2) and log(1 + e^2); columns log 2 and log 2
    rows = 0.5 * (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2)))
    expected = 0.5 * (rows + math.log(2))
    assert float(interactive_loss(student, anchors, 0.5)) == pytest.approx(expected, rel=1e-5)


def test_clip_by_hand() -> None:
    logits = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    rows = 0.5 * (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(3)))
    columns = 0.5 * (math.log(1 + math.exp(2)) + math.log(2))
    assert float(clip_loss(logits)) == pytest.approx(0.5 * (rows + columns), rel=1e-5)


def test_repulsive_by_hand() -> None:
    student, teacher = torch.zeros(2, 2), torch.tensor([[5.0, 0.0], [0.0, 5.0]])
    # teacher / 5: (1, 0) and (0, 1); the student's log-probabilities are all -log 2
    high, low = math.e / (1 + math.e), 1 / (1 + math.e)
    for beta in (2.0, 0.0, -0.8):
        expected = math.log(2) * (high + beta * low)
        assert float(repulsive_loss(student, teacher, beta)) == pytest.approx(expected, rel=1e-5)


def test_repulsive_with_weight_one_is_the_soft_cross_entropy() -> None:
    generator = torch.Generator().manual_seed(2)
    student, teacher = (torch.randn(4, 4, generator=generator) for _ in range(2))
    plain = F.cross_entropy(student, F.softmax(teacher / 5, dim=1))
    plain = 0.5 * (plain + F.cross_entropy(student.T, F.softmax(teacher.T / 5, dim=1)))
    assert float(repulsive_loss(student, teacher, 1.0)) == pytest.approx(float(plain), rel=1e-5)


def test_bank_by_hand() -> None:
    bank = torch.tensor([RIGHT, UP])
    student, teacher = torch.tensor([[math.sqrt(0.5)] * 2]), torch.tensor([RIGHT])
    # student (0.5, 0.5); teacher: softmax of (2, 0)
    high = 1 / (1 + math.exp(-2))
    expected = math.log(2) + high * math.log(high) + (1 - high) * math.log(1 - high)
    assert float(bank_loss(student, teacher, bank, 0.5)) == pytest.approx(expected, rel=1e-5)
