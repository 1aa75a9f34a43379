"""Golden frames: phantom frames with what the reference model says of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.bundle.manifest import GoldenReference
from fetalclip_edge.frame import Frame, Scale, ScaleOrigin
from fetalclip_edge.phantom import Phantom
from fetalclip_edge.session import Session

SEEDS = (101, 102, 103, 104)
"""Seeds that no demo uses, so that the self-test is not what the demo shows."""


def golden_references(
    session: Session,
) -> tuple[tuple[GoldenReference, ...], dict[str, bytes | Path]]:
    """Returns references and the files (path in the bundle -> PNG) they name.

    Args:
        session: an ungated session over the reference model.
    """
    references: list[GoldenReference] = []
    files: dict[str, bytes | Path] = {}
    for seed in SEEDS:
        phantom = Phantom(seed).draw(0.0)
        scale = Scale((phantom.spacing_mm, phantom.spacing_mm), ScaleOrigin.SOURCE)
        result = session.process(Frame(phantom.pixels, scale=scale), want_masks=True)
        head, hc, plane = result.structures[0], result.measurement("HC"), result.plane
        if head.mask is None or plane is None:
            raise ValueError("a golden frame needs a mask and a plane")
        frame_png, mask_png = encode_png(phantom.pixels), encode_png(head.mask)
        path, mask_path = f"golden/{seed}.png", f"golden/{seed}_mask.png"
        references.append(
            GoldenReference(
                path=path,
                sha256=hashlib.sha256(frame_png).hexdigest(),
                spacing_mm=phantom.spacing_mm,
                true_hc_mm=phantom.true_hc_mm,
                plane_scores=tuple(score for _, score in plane.scores),
                embedding=tuple(map(float, result.embedding)),
                mask_area_px=float((head.mask > 0).sum()),
                mask_path=mask_path,
                mask_sha256=hashlib.sha256(mask_png).hexdigest(),
                hc_mm=None if hc is None else hc.value_mm,
            )
        )
        files[path], files[mask_path] = frame_png, mask_png
    return tuple(references), files


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Returns the PNG of an 8-bit image."""
    return bytes(cv2.imencode(".png", image)[1])
