"""Ellipse to mask to ellipse, and the formulas against hand-computed values."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fetalclip_edge.biometry import find_shape, largest_component, measure
from fetalclip_edge.geometry import Ellipse, Roi, ellipse_circumference
from fetalclip_edge.preprocess import Letterbox

SOURCE_HW = (540, 800)


def _logits(ellipse: Ellipse, letterbox: Letterbox) -> NDArray[np.float32]:
    """Signed-distance-like logits of an ellipse, sampled at model pixel centres."""
    side = letterbox.size_px
    v, u = np.mgrid[0:side, 0:side].astype(np.float64)
    points = letterbox.to_source(np.stack([u.ravel(), v.ravel()], axis=1))
    dx, dy = (points - np.asarray(ellipse.center_xy)).T
    cos, sin = math.cos(ellipse.angle_rad), math.sin(ellipse.angle_rad)
    along = (dx * cos + dy * sin) / ellipse.semi_major
    across = (dy * cos - dx * sin) / ellipse.semi_minor
    logits = 20.0 * (1.0 - np.hypot(along, across))
    return np.asarray(logits.reshape(side, side), np.float32)


@settings(max_examples=40, deadline=None)
@given(
    semi_major=st.floats(120, 220),
    ratio=st.floats(0.65, 0.98),
    angle=st.floats(0.0, math.pi - 1e-3),
    x=st.floats(350, 450),
    y=st.floats(260, 280),
)
def test_an_ellipse_survives_mask_and_fit_within_two_per_mille(
    semi_major: float, ratio: float, angle: float, x: float, y: float
) -> None:
    truth = Ellipse((x, y), semi_major, semi_major * ratio, angle)
    letterbox = Letterbox(Roi.full(SOURCE_HW), 256)
    shape = find_shape(_logits(truth, letterbox), letterbox)
    assert shape.ellipse is not None
    spacing = (0.15, 0.15)
    assert measure("HC", shape.ellipse, spacing) == pytest.approx(
        measure("HC", truth, spacing), rel=2e-3
    )
    assert shape.fit_residual < 0.01
    assert shape.border_fraction == 0.0


def test_nothing_is_found_in_an_empty_mask() -> None:
    letterbox = Letterbox(Roi.full(SOURCE_HW), 256)
    shape = find_shape(np.full((256, 256), -5, np.float32), letterbox)
    assert shape.ellipse is None
    assert shape.score == 0.0


def test_a_cut_off_head_touches_the_border() -> None:
    letterbox = Letterbox(Roi.full(SOURCE_HW), 256)
    shape = find_shape(_logits(Ellipse((60, 270), 200, 160, 0.0), letterbox), letterbox)
    assert shape.border_fraction > 0.05


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (5.0, 3.0), (30.0, 24.0), (2.0, 1.0)])
def test_circumference_is_the_arc_length(a: float, b: float) -> None:
    t = np.linspace(0.0, 2 * math.pi, 4096, endpoint=False)
    arc = float(np.hypot(a * np.sin(t), b * np.cos(t)).mean()) * 2 * math.pi
    assert ellipse_circumference(a, b) == pytest.approx(arc, rel=1e-5)


def test_spacing_that_differs_by_axis_is_exact() -> None:
    along_x = Ellipse((0, 0), 100, 50, 0.0)
    assert along_x.semi_axes_mm((0.2, 0.1)) == pytest.approx((10.0, 10.0))
    along_y = Ellipse((0, 0), 100, 50, math.pi / 2)
    assert along_y.semi_axes_mm((0.2, 0.1)) == pytest.approx((20.0, 5.0))
    assert measure("OFD", along_y, (0.2, 0.1)) == pytest.approx(40.0)
    assert measure("BPD", along_y, (0.2, 0.1)) == pytest.approx(10.0)


@given(
    x=st.integers(0, 300),
    y=st.integers(0, 200),
    width=st.integers(40, 500),
    height=st.integers(40, 340),
)
def test_letterbox_and_back(x: int, y: int, width: int, height: int) -> None:
    letterbox = Letterbox(Roi(x, y, width, height), 256)
    points = np.array([[x, y], [x + width - 1.0, y + height - 1.0], [x + 3.5, y + 7.25]])
    np.testing.assert_allclose(letterbox.to_source(letterbox.to_model(points)), points, atol=1e-9)


@given(
    size_hw=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    share=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    seed=st.integers(0, 99),
)
def test_one_component_is_kept_and_it_is_the_largest(
    size_hw: tuple[int, int], share: float, seed: int
) -> None:
    inside = (np.random.default_rng(seed).random(size_hw) < share).astype(np.uint8)
    kept = largest_component(inside)
    count, _, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    assert not (kept > inside).any()
    assert kept.sum() == max(stats[1:count, cv2.CC_STAT_AREA], default=0)
