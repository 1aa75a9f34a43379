"""Which labelled frames a file may be judged on: none that the model or the ranges have seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calibration.frames import CalibrationSet
from fetalclip_edge.bundle.manifest import Manifest
from fetalclip_edge.errors import CheckFailedError
from fetalclip_edge.frame import Frame
from fetalclip_edge.labelled_frames import LabelledFrame
from fetalclip_edge.near_duplicate import NearDuplicates, perceptual_hash
from fetalclip_edge.preprocess import preprocess
from fetalclip_edge.sector import find_sector
from fetalclip_edge.sources.images import read_image


@dataclass(frozen=True, slots=True)
class Unseen:
    """The frames of a split that may be used, and how many may not.

    Attributes:
        frames: those that may.
        seen: frames left out as they are nearly equal to one of the calibration set.
    """

    frames: tuple[LabelledFrame, ...]
    seen: int


def unseen(
    frames: Sequence[LabelledFrame], split: str, manifest: Manifest, chosen: CalibrationSet
) -> Unseen:
    """Returns the frames of a split without those that the calibration set shows too.

    Raises:
        CheckFailedError: the split holds frames that the model was trained on.
    """
    mine = [frame for frame in frames if frame.split == split]
    trained_on = {name for data in manifest.provenance.data for name in data.trained_on}
    leaked = [frame.image.name for frame in mine if frame.image.name in trained_on]
    if leaked:
        raise CheckFailedError(
            f"{split} frames",
            expected="none that the model was trained on",
            arrived=f"{len(leaked)}, such as {leaked[0]}",
            remedy="Give the table that the model was trained by",
        )
    known = NearDuplicates()
    for square in chosen.squares:
        known.add(perceptual_hash(square[0]))
    kept = []
    for frame in mine:
        pixels = read_image(frame.image)
        sector = find_sector(pixels)
        shown = Frame(pixels, roi=None if sector is None else sector.roi, sector=sector)
        tensor, _ = preprocess(shown, manifest.input.size_px)
        if known.holds(perceptual_hash(tensor[0, 0])):
            continue
        kept.append(frame)
    return Unseen(tuple(kept), len(mine) - len(kept))
