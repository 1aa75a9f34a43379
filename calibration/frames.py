"""Chooses the frames that activation ranges are taken from: few, different, and sector only."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from calibration.aspects import Aspects, feature_rows
from calibration.coverage import CoverageRow, coverage, gaps
from fetalclip_edge.bundle.manifest import ClassificationHead, Manifest, SegmentationHead
from fetalclip_edge.errors import ImageError, InputError, UsageError
from fetalclip_edge.frame import Frame, Pixels, Scale, ScaleOrigin
from fetalclip_edge.labelled_frames import read_labelled_frames
from fetalclip_edge.near_duplicate import NearDuplicates, perceptual_hash
from fetalclip_edge.sector import find_sector
from fetalclip_edge.session import Session
from fetalclip_edge.sources.images import read_image
from fetalclip_edge.sources.opening import is_live, open_source_factory

MAX_FRAMES = 128
MIN_FRAMES = 32
"""Fewer different frames than this say too little about the tails of the activations."""

MAX_CANDIDATES = 4096
"""Different frames after which no more are read; a letterbox of 256 pixels is 64 KB."""

_COLOUR_STEP = 32
_COLOUR_SHARE = 0.02
"""Share of pixels with channels further apart than the step from which a frame is in colour."""


@dataclass(frozen=True, slots=True)
class CalibrationSet:
    """The frames chosen.

    Attributes:
        squares: uint8 (N, 1, S, S), as the model takes them.
        names: where each came from.
        rows: what they cover.
        passed_over: reason -> frames that were not used for it.
    """

    squares: NDArray[np.uint8]
    names: tuple[str, ...]
    rows: tuple[CoverageRow, ...]
    passed_over: tuple[tuple[str, int], ...]

    @property
    def sha256(self) -> str:
        """Digest of the frames themselves, in hex: the same pictures give the same set."""
        return hashlib.sha256(
            repr(self.squares.shape).encode() + np.ascontiguousarray(self.squares).tobytes()
        ).hexdigest()

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is not covered, in words."""
        return gaps(self.rows)


def choose_frames(where: Iterable[str], session: Session, manifest: Manifest) -> CalibrationSet:
    """Returns up to `MAX_FRAMES` frames that differ as much as those given allow.

    Frames are taken farthest-point first (T. F. Gonzalez, Theor. Comput. Sci. 38, 1985) in the
    space of `feature_rows`.

    Args:
        where: images, folders, patterns and clips, or tables of labelled frames, of which only
            the rows of the training split are read.
        session: ungated, over the fp32 file; says what a frame shows.
        manifest: of the same bundle.

    Raises:
        InputError: fewer than `MIN_FRAMES` different frames that can be used.
    """
    planes = tuple(
        name
        for head in manifest.heads
        if isinstance(head, ClassificationHead) and head.name == "plane"
        for name in head.classes
    )
    heads = next((h for h in manifest.heads if isinstance(h, SegmentationHead)), None)
    head_planes = () if heads is None else heads.valid_planes
    squares: list[NDArray[np.uint8]] = []
    names: list[str] = []
    aspects: list[Aspects] = []
    known, passed_over = NearDuplicates(), Counter[str]()
    for name, pixels, scale in _read(where, passed_over):
        if len(squares) == MAX_CANDIDATES:
            passed_over["beyond the number read"] += 1
            continue
        if _in_colour(pixels):
            passed_over["in colour"] += 1
            continue
        sector = find_sector(pixels)
        frame = Frame(
            pixels,
            geometry_epoch=len(squares),
            roi=None if sector is None else sector.roi,
            sector=sector,
            scale=scale,
        )
        prepared = session.prepare(frame)
        square = prepared.tensor[0, 0]
        if not known.add(perceptual_hash(square)):
            passed_over["nearly equal to another"] += 1
            continue
        squares.append(square)
        names.append(name)
        aspects.append(Aspects.of(frame, square, session.finish(prepared), head_planes))
    if len(squares) < MIN_FRAMES:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(passed_over.items()))
        raise InputError(
            "calibration frames",
            expected=f"at least {MIN_FRAMES} different gray frames of 8 bits",
            arrived=f"{len(squares)}" + (f" (passed over: {why})" if why else ""),
            remedy="Give more frames, of other depths, gains, planes and patients",
        )
    order = farthest_points(feature_rows(aspects, planes), MAX_FRAMES)
    return CalibrationSet(
        squares=np.stack([squares[i] for i in order])[:, None],
        names=tuple(names[i] for i in order),
        rows=coverage(aspects, [aspects[i] for i in order], planes),
        passed_over=tuple(sorted(passed_over.items())),
    )


def farthest_points(rows: NDArray[np.float64], count: int) -> list[int]:
    """Returns up to `count` row numbers: the most central row, then always the farthest one."""
    first = int(np.argmin(np.linalg.norm(rows - rows.mean(axis=0), axis=1)))
    order = [first]
    distance = np.linalg.norm(rows - rows[first], axis=1)
    while len(order) < min(count, len(rows)):
        distance[order] = -1.0  # equal rows are taken too, but each one once
        order.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(rows - rows[order[-1]], axis=1))
    return order


def _in_colour(pixels: Pixels) -> bool:
    if pixels.ndim == 2:
        return False
    apart = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return float((apart > _COLOUR_STEP).mean()) > _COLOUR_SHARE


def _read(
    where: Iterable[str], passed_over: Counter[str]
) -> Iterator[tuple[str, Pixels, Scale | None]]:
    for place in where:
        if place == "demo" or is_live(place):
            raise UsageError("--frames", expected="files", arrived=place)
        if place.lower().endswith(".csv"):
            for row in read_labelled_frames(Path(place)):
                if row.split == "train":
                    spacing = row.spacing_mm
                    scale = spacing and Scale((spacing, spacing), ScaleOrigin.SOURCE)
                    try:
                        yield str(row.image), read_image(row.image), scale or None
                    except ImageError:
                        passed_over["not an 8-bit image"] += 1
            continue
        with open_source_factory(place)() as source:
            number = 0
            while True:
                try:
                    raw = source.read()
                except ImageError:
                    passed_over["not an 8-bit image"] += 1
                    continue
                if raw is None:
                    break
                spacing_rc = raw.spacing_mm_rc
                known = None if spacing_rc is None else Scale(spacing_rc, ScaleOrigin.SOURCE)
                yield raw.path or f"{place}, frame {number}", raw.pixels, known
                number += 1
