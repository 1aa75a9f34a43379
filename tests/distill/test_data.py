"""The real data sets, where they are at hand."""

from __future__ import annotations

import math
import os
from pathlib import Path

import cv2
import pytest

from distill.data.cache import draw_mask, outline_ellipse
from distill.data.hc18 import load_hc18
from distill.data.planes import load_planes
from distill.data.sample import Split, check_no_leak
from fetalclip_edge.errors import InputError
from fetalclip_edge.geometry import Ellipse, Roi, ellipse_circumference
from fetalclip_edge.preprocess import Letterbox


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("FETALCLIP_EDGE_DATA")
    if not folder:
        pytest.skip("FETALCLIP_EDGE_DATA is not set: real frames are missing")
    return Path(folder)


def test_splits_do_not_leak_and_hold_every_part(data: Path) -> None:
    samples = load_hc18(data / "hc18") + load_planes(data / "planes")
    check_no_leak(samples)
    assert {sample.split for sample in samples} == set(Split)


def test_the_outline_gives_the_published_circumference(data: Path) -> None:
    for sample in load_hc18(data / "hc18")[::25]:
        image = cv2.imread(str(sample.outline), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        assert sample.spacing_mm is not None
        axes = outline_ellipse(image.astype("uint8")).semi_axes_mm((sample.spacing_mm,) * 2)
        assert ellipse_circumference(*axes) == pytest.approx(sample.hc_mm, abs=0.07)


@pytest.mark.parametrize(
    "ellipse",
    [
        Ellipse((400, 270), 220, 170, 0.4),
        Ellipse((380.3, 250.6), 90, 80, 2.0),
        Ellipse((300, 300), 150, 150, 0.0),
    ],
)
def test_a_drawn_mask_has_the_area_of_its_ellipse(ellipse: Ellipse) -> None:
    letterbox = Letterbox(Roi(0, 0, 800, 540), 256)
    area = float(draw_mask(ellipse, letterbox).sum()) / 255.0
    scale_x, scale_y = letterbox.scale_xy
    truth = math.pi * ellipse.semi_major * ellipse.semi_minor / (scale_x * scale_y)
    assert area == pytest.approx(truth, rel=2e-3)


def test_another_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="HC18: expected"):
        load_hc18(tmp_path)
    with pytest.raises(InputError, match="FETAL_PLANES_DB: expected"):
        load_planes(tmp_path)
