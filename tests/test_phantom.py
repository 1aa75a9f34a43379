"""The phantom says the truth about what it drew."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetalclip_edge.errors import SourceError, UsageError
from fetalclip_edge.geometry import ellipse_circumference
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.sources.demo import DemoSource


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 600))
def test_truth_of_any_seed(seed: int, t_s: float) -> None:
    drawn = Phantom(seed).draw(t_s)
    ellipse, (height, width) = drawn.ellipse, drawn.pixels.shape
    assert 160 <= drawn.true_hc_mm <= 190
    mm = ellipse_circumference(ellipse.semi_major, ellipse.semi_minor) * drawn.spacing_mm
    assert drawn.true_hc_mm == pytest.approx(mm, rel=1e-9)
    # rasterised, outlined and fitted again
    mask = np.zeros((height, width), np.uint8)
    center = round(ellipse.center_xy[0] * 256), round(ellipse.center_xy[1] * 256)
    axes = round(ellipse.semi_major * 256), round(ellipse.semi_minor * 256)
    cv2.ellipse(mask, center, axes, math.degrees(ellipse.angle_rad), 0, 360, 1, -1, shift=8)
    area_mm2 = float(np.count_nonzero(mask)) * drawn.spacing_mm**2
    semi_a, semi_b = ellipse.semi_axes_mm((drawn.spacing_mm, drawn.spacing_mm))
    assert area_mm2 == pytest.approx(math.pi * semi_a * semi_b, rel=0.01)
    outline = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0][0]
    _, (short, long), _ = cv2.fitEllipse(outline)
    fitted_mm = ellipse_circumference(long / 2, short / 2) * drawn.spacing_mm
    assert fitted_mm == pytest.approx(drawn.true_hc_mm, rel=0.01)


@pytest.mark.parametrize("seed", range(1, 7))
def test_outer_edge_is_where_the_truth_says(seed: int) -> None:
    """The echo falls to half between its peak and the tissue at the ellipse, within 1 %."""
    drawn = Phantom(seed).draw(1.3)
    ellipse = drawn.ellipse
    t = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    cos, sin = math.cos(ellipse.angle_rad), math.sin(ellipse.angle_rad)
    reach = np.arange(-0.1, 0.1, 0.002)
    profile = []
    for share in reach:
        u = (ellipse.semi_major + share * ellipse.semi_minor) * np.cos(t)
        v = (1 + share) * ellipse.semi_minor * np.sin(t)
        x = (ellipse.center_xy[0] + cos * u - sin * v).astype(np.float32)
        y = (ellipse.center_xy[1] + sin * u + cos * v).astype(np.float32)
        profile.append(cv2.remap(drawn.pixels, x[None], y[None], cv2.INTER_LINEAR).mean())
    peak = int(np.argmax(profile))
    half = (profile[peak] + profile[-1]) / 2
    edge = reach[peak + int(np.argmax(np.array(profile[peak:]) < half))]
    assert reach[peak] < 0
    assert abs(edge) < 0.012


def test_same_seed_and_time_same_pixels() -> None:
    one, two = Phantom(5), Phantom(5)
    two.draw(9.0)  # drawing leaves nothing behind
    assert np.array_equal(one.draw(2.5).pixels, two.draw(2.5).pixels)
    assert not np.array_equal(one.draw(2.5).pixels, one.draw(3.5).pixels)
    assert not np.array_equal(one.draw(2.5).pixels, Phantom(6).draw(2.5).pixels)


def test_other_sizes_and_spacings() -> None:
    drawn = Phantom(1, (270, 400), 0.3).draw(0)
    assert drawn.pixels.shape == (270, 400)
    assert drawn.pixels.dtype == np.uint8
    assert drawn.spacing_mm == 0.3
    with pytest.raises(ValueError, match="fit"):
        Phantom(1, spacing_mm=0.01)
    with pytest.raises(ValueError, match="128"):
        Phantom(1, (100, 400))


def test_demo_is_a_file_with_a_scale() -> None:
    source = DemoSource(seed=2, frames=3, rate_hz=20)
    with pytest.raises(SourceError, match="demo"):
        source.read()
    with source:
        info = source.open()
        assert (info.kind, info.live, info.frame_count, info.rate_hz) == ("demo", False, 3, 20)
        frames = [source.read() for _ in range(4)]
    assert frames[3] is None
    assert [frame.timestamp_ns for frame in frames if frame] == [0, 50_000_000, 100_000_000]
    drawn = Phantom(2).draw(0.05)
    assert frames[1] is not None
    assert np.array_equal(frames[1].pixels, drawn.pixels)
    assert frames[1].pixels.shape == info.size_hw
    assert frames[1].spacing_mm_rc == (drawn.spacing_mm, drawn.spacing_mm)
    assert source.truth(1) == drawn.true_hc_mm
    with pytest.raises(UsageError, match="demo frame"):
        source.truth(3)


def test_demo_can_be_live() -> None:
    with DemoSource(rate_hz=200, live=True, frames=1000) as source:
        stamps = [frame.timestamp_ns for frame in (source.read() for _ in range(4)) if frame]
    assert stamps == sorted(set(stamps))
    assert DemoSource(live=True).open().frame_count is None


@pytest.mark.parametrize(("frames", "rate_hz"), [(0, 30.0), (5, 0.0), (5, -1.0)])
def test_demo_refuses(frames: int, rate_hz: float) -> None:
    with pytest.raises(UsageError, match="demo source"):
        DemoSource(frames=frames, rate_hz=rate_hz)
