"""What a frame shows, in the respects in which a calibration set must be spread out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.frame import Frame
from fetalclip_edge.geometry import Roi
from fetalclip_edge.result import Result

GAIN_EDGES = (35.0, 65.0)
"""Mean gray value of what is shown: dark, usual, bright."""

HEAD_EDGES = (0.45, 0.7)
"""Long axis of the head over the longer side of the region: small, usual, large."""

DEPTH_EDGES_MM = (90.0, 150.0)
"""Height of the region in mm: shallow, usual, deep."""

_PLANE_WEIGHT = 1.5
"""Distance of two planes, in standard deviations of the other aspects."""


@dataclass(frozen=True, slots=True)
class Aspects:
    """What one frame shows.

    Attributes:
        gain: mean gray value over pixels that are not black, in [0, 255].
        depth_mm: height of the ultrasound, or None where the scale is not known.
        plane: the plane that the fp32 model sees, or "unknown".
        head: long axis of the head that it sees over the longer side of the region; 0 for none,
            and on planes that show no head.
    """

    gain: float
    depth_mm: float | None
    plane: str
    head: float

    @classmethod
    def of(
        cls, frame: Frame, square: NDArray[np.uint8], result: Result, head_planes: tuple[str, ...]
    ) -> Aspects:
        """Returns the aspects of a frame.

        Args:
            frame: the frame.
            square: its letterbox uint8 (S, S).
            result: what the fp32 model said of it.
            head_planes: planes that show a head; empty means any.
        """
        lit = square[square > 0]
        roi = frame.roi or Roi.full(frame.size_hw)
        plane = "unknown" if result.plane is None else result.plane.label
        shown = bool(result.structures) and (not head_planes or plane in head_planes)
        ellipse = result.structures[0].geometry if shown else None
        head = 0.0 if ellipse is None else 2 * ellipse.semi_major / max(roi.width, roi.height)
        depth_mm = None if frame.scale is None else roi.height * frame.scale.spacing_mm_rc[0]
        return cls(float(lit.mean()) if lit.size else 0.0, depth_mm, plane, min(head, 1.5))

    @property
    def bins(self) -> dict[str, str]:
        """Aspect -> the bin of the coverage report that this frame falls into."""
        depth = "unknown"
        if self.depth_mm is not None:
            depth = _bin(self.depth_mm, DEPTH_EDGES_MM, ("shallow", "usual", "deep"))
        head = (
            "none" if self.head == 0 else _bin(self.head, HEAD_EDGES, ("small", "usual", "large"))
        )
        gain = _bin(self.gain, GAIN_EDGES, ("dark", "usual", "bright"))
        return {"gain": gain, "depth": depth, "plane": self.plane, "head": head}


def feature_rows(aspects: list[Aspects], planes: tuple[str, ...]) -> NDArray[np.float64]:
    """Returns (N, 3 + P): standardized gain, depth and head size, and one column a plane."""
    depths = [a.depth_mm for a in aspects if a.depth_mm is not None]
    usual_mm = float(np.mean(depths)) if depths else 0.0
    numbers = np.array(
        [[a.gain, usual_mm if a.depth_mm is None else a.depth_mm, a.head] for a in aspects]
    )
    spread = numbers.std(axis=0)
    numbers = (numbers - numbers.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    which = np.array([[float(a.plane == name) for name in planes] for a in aspects])
    return np.hstack([numbers, _PLANE_WEIGHT / np.sqrt(2) * which])


def _bin(value: float, edges: tuple[float, float], names: tuple[str, str, str]) -> str:
    return names[int(np.searchsorted(edges, value, side="right"))]
