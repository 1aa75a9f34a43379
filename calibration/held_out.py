"""What one model file says of labelled frames, through the cart's own pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.biometry import fit_ellipse
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.errors import ImageError
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.geometry import Ellipse
from fetalclip_edge.labelled_frames import LabelledFrame
from fetalclip_edge.preprocess import to_gray
from fetalclip_edge.result import Result
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner
from fetalclip_edge.session import Session
from fetalclip_edge.sources.images import read_image


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out for one frame; every ellipse that could be fitted is measured.

    Attributes:
        frame: the frame with its labels.
        hc_mm: measured HC, or None where no ellipse was found or the scale is not known.
        dsc: Dice coefficient with the filled outline, or None where there is none.
        plane: the plane said.
        ellipse: the one that was fitted, in source pixels, or None.
    """

    frame: LabelledFrame
    hc_mm: float | None
    dsc: float | None
    plane: str | None
    ellipse: Ellipse | None


class HeldOut:
    """Labelled frames with their truth, drawn once and run through one file after another.

    Args:
        frames: those that are used; images are read anew for each file.
    """

    def __init__(self, frames: Sequence[LabelledFrame]) -> None:
        self.frames = tuple(frames)
        self._ellipses = {
            frame.image: _outline_ellipse(frame.outline)
            for frame in frames
            if frame.outline is not None
        }

    def outcomes(self, bundle: Bundle, model: Path, *, optimize: bool = True) -> list[Outcome]:
        """Returns what a model file says of every frame.

        Args:
            bundle: says how its outputs are read.
            model: the file, which need not lie in the bundle.
            optimize: see `OnnxRuntimeRunner`.
        """
        with OnnxRuntimeRunner(model, precision="int8", optimize=optimize) as runner:
            session = Session(bundle, runner, gate=False)
            return [self._outcome(session, i, frame) for i, frame in enumerate(self.frames)]

    def ellipse(self, frame: LabelledFrame) -> Ellipse | None:
        """Returns the true ellipse of a frame, or None where it has no outline."""
        return self._ellipses.get(frame.image)

    def _process(self, session: Session, index: int, frame: LabelledFrame) -> Result:
        spacing = frame.spacing_mm
        scale = None if spacing is None else Scale((spacing, spacing), ScaleOrigin.SOURCE)
        return session.process(
            Frame(read_image(frame.image), index, geometry_epoch=index, scale=scale),
            want_masks=frame.outline is not None,
        )

    def _outcome(self, session: Session, index: int, frame: LabelledFrame) -> Outcome:
        result = self._process(session, index, frame)
        hc = result.measurement("HC")
        mask = result.structures[0].mask if result.structures else None
        truth = self._ellipses.get(frame.image)
        return Outcome(
            frame=frame,
            hc_mm=None if hc is None else hc.value_mm,
            dsc=None if mask is None or truth is None else _dice(mask > 127, truth),
            plane=None if result.plane is None else result.plane.label,
            ellipse=result.structures[0].geometry if result.structures else None,
        )


def _outline_ellipse(path: Path) -> Ellipse:
    """Returns the ellipse along a drawn outline; its centre line is the truth."""
    ys, xs = np.nonzero(to_gray(read_image(path)) > 127)
    ellipse = fit_ellipse(np.stack([xs, ys], axis=1).astype(np.float64))
    if ellipse is None:
        raise ImageError(f"{path}", expected="the drawn outline of a head", arrived="none")
    return ellipse


def _dice(mask: NDArray[np.bool_], ellipse: Ellipse) -> float:
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    dx, dy = x - ellipse.center_xy[0], y - ellipse.center_xy[1]
    cos, sin = np.cos(ellipse.angle_rad), np.sin(ellipse.angle_rad)
    along = (dx * cos + dy * sin) / ellipse.semi_major
    across = (dy * cos - dx * sin) / ellipse.semi_minor
    truth = along**2 + across**2 <= 1
    return 2.0 * float((truth & mask).sum()) / max(1.0, float(truth.sum() + mask.sum()))
