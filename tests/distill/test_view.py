"""Views: what is stored is what is seen, and it is the same picture at every resolution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.view import View
from fetalclip_edge.errors import InputError


def picture(side: int) -> torch.Tensor:
    """A smooth scene on the unit square, without symmetry, sampled at `side` pixels."""
    axis = (torch.arange(side) + 0.5) / side
    y, x = axis[:, None], axis[None, :]
    blob = torch.exp(-(((x - 0.4) / 0.12) ** 2 + ((y - 0.55) / 0.2) ** 2))
    bar = torch.sigmoid((0.06 - (x - 0.62).abs()) * 40) * torch.sigmoid(
        (0.2 - (y - 0.4).abs()) * 40
    )
    return (255 * torch.maximum(blob, 0.7 * bar)).round().to(torch.uint8)[None]


def only(**changes: object) -> View:
    fields = {
        "flip": False,
        "angle_deg": 0.0,
        "shift_xy": (0.0, 0.0),
        "scale": 1.0,
        "gain": 1.0,
        "gamma": 1.0,
    }
    return View(**{**fields, **changes})  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1))
def test_a_row_gives_the_very_view_back(seed: int) -> None:
    view = View.random(np.random.default_rng(seed))
    assert view.row().dtype == np.float32
    assert View.from_row(view.row()) == view


def test_the_identity_is_the_identity_bit_for_bit() -> None:
    frame = torch.randint(0, 256, (1, 37, 37), dtype=torch.uint8)
    assert torch.equal(View.identity().apply(frame), frame)
    assert torch.equal(View.identity().apply_mask(frame), frame)
    assert View.from_row(View.identity().row()) == View.identity()


def test_each_part_of_the_geometry_does_what_it_says() -> None:
    frame = torch.zeros(1, 41, 41, dtype=torch.uint8)
    frame[0, 20, 30] = 200  # ten to the right of the centre
    assert int(only(flip=True).apply(frame)[0, 20, 10]) == 200
    assert int(only(angle_deg=90.0).apply(frame)[0, 30, 20]) == 200  # clockwise: now below
    assert int(only(shift_xy=(5 / 41, -3 / 41)).apply(frame)[0, 17, 35]) == 200
    assert int(only(scale=0.5).apply(frame)[0, 20, 25]) == 200


def test_flip_comes_before_the_turn_and_the_shift_comes_last() -> None:
    frame = torch.zeros(1, 41, 41, dtype=torch.uint8)
    frame[0, 20, 30] = 200
    view = only(flip=True, angle_deg=90.0, shift_xy=(4 / 41, 0.0))
    assert int(view.apply(frame)[0, 10, 24]) == 200  # right -> left -> above -> above right


def test_what_comes_from_outside_is_black() -> None:
    seen = only(shift_xy=(0.5, 0.0)).apply(torch.full((1, 40, 40), 90, dtype=torch.uint8))
    assert int(seen[0, :, :20].max()) == 0
    assert int(seen[0, :, 20:].min()) == 90


@pytest.mark.parametrize("seed", range(8))
def test_the_same_view_shows_the_same_picture_at_two_resolutions(seed: int) -> None:
    view = View.random(np.random.default_rng(seed))
    large, small = view.apply(picture(800)), view.apply(picture(256))
    shrunk = torch.nn.functional.interpolate(
        large[None].float(), (256, 256), mode="bilinear", antialias=True
    )[0]
    difference = (shrunk - small.float()).abs()
    assert float(difference.mean()) < 1.0
    assert float(difference.max()) < 16.0
    # the tolerance would tell a mistake: another view of the same frame is far off
    other = View.random(np.random.default_rng(seed + 100)).apply(picture(256))
    assert float((shrunk - other.float()).abs().mean()) > 4.0


@pytest.mark.parametrize("seed", range(8))
def test_a_mask_follows_its_frame(seed: int) -> None:
    view = View.random(np.random.default_rng(seed))
    frame = picture(200)
    seen = View(view.flip, view.angle_deg, view.shift_xy, view.scale, 1.0, 1.0).apply(frame)
    assert torch.equal(view.apply_mask(frame), seen)


def test_gain_and_gamma_change_the_frame_alone() -> None:
    frame = torch.tensor([[[0, 64], [128, 255]]], dtype=torch.uint8)
    view = only(gain=1.5, gamma=2.0)
    by_hand = [0, round(255 * (64 * 1.5 / 255) ** 2), round(255 * (192 / 255) ** 2), 255]
    assert view.apply(frame).flatten().tolist() == by_hand
    assert torch.equal(view.apply_mask(frame), frame)


def test_views_are_as_strong_as_they_say() -> None:
    views = [View.random(np.random.default_rng(seed)) for seed in range(400)]
    assert max(abs(v.angle_deg) for v in views) == pytest.approx(25.0, abs=1.0)
    assert max(abs(s) for v in views for s in v.shift_xy) == pytest.approx(0.12, abs=0.01)
    assert min(v.scale for v in views) == pytest.approx(0.75, abs=0.02)
    assert max(v.scale for v in views) == pytest.approx(1.3, abs=0.03)
    assert 150 < sum(v.flip for v in views) < 250


@pytest.mark.parametrize(
    "changes",
    [
        {"angle_deg": math.nan},
        {"shift_xy": (0.0, 1.5)},
        {"scale": 0.0},
        {"gain": -1.0},
        {"gamma": math.inf},
    ],
)
def test_an_impossible_view_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="view: expected"):
        only(**changes)


@pytest.mark.parametrize("row", [np.zeros(6, np.float32), np.full(7, 0.5, np.float32)])
def test_a_row_of_another_form_is_refused(
    row: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> None:
    with pytest.raises(InputError, match="row of a view"):
        View.from_row(row)
