"""What the network sees of a frame: its region, gray, and black outside the sector."""

from __future__ import annotations

import numpy as np
import pytest

from fetalclip_edge.frame import Frame
from fetalclip_edge.geometry import Roi
from fetalclip_edge.preprocess import Letterbox, preprocess, to_gray
from fetalclip_edge.region import Sector

SIZE_HW = (120, 160)
SECTOR = Sector.from_polygon(((60, 10), (100, 10), (140, 100), (20, 100)))


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("sector", [None, SECTOR])
@pytest.mark.parametrize("roi", [None, Roi(20, 10, 121, 91), Roi(30, 0, 50, 120)])
def test_nothing_outside_region_and_sector_is_seen(
    roi: Roi | None, sector: Sector | None, colour: bool
) -> None:
    shape = (*SIZE_HW, 3) if colour else SIZE_HW
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    tensor, letterbox = preprocess(Frame(pixels, roi=roi, sector=sector), 64)
    whole = to_gray(pixels)
    if sector is not None:
        whole = sector.apply(whole)
    assert letterbox == Letterbox(roi or Roi.full(SIZE_HW), 64)
    np.testing.assert_array_equal(tensor, letterbox.forward(whole)[None, None])
    box, seen = letterbox.roi, np.zeros(SIZE_HW, bool)
    seen[box.y : box.y + box.height, box.x : box.x + box.width] = True
    if sector is not None:
        seen &= sector.mask(SIZE_HW) > 0
    blackened = pixels.copy()
    blackened[~seen] = 0
    np.testing.assert_array_equal(
        preprocess(Frame(blackened, roi=roi, sector=sector), 64)[0], tensor
    )
