"""Small made-up frames of the two data sets, with every split."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from distill.data.planes import BRAIN, PLANES
from distill.data.sample import Sample, Split


def made_up_samples(folder: Path, per_split: int = 4) -> list[Sample]:
    """Returns heads with a circumference and femurs without, as files of 90 x 60 pixels."""
    samples = []
    for s, split in enumerate(Split):
        for i in range(per_split):
            number = s * per_split + i
            path = folder / f"{number:03d}_HC.png"
            pixels = np.random.default_rng(number).integers(0, 256, (60, 90), np.uint8)
            assert cv2.imwrite(str(path), pixels)
            head = i % 2 == 0
            samples.append(
                Sample(
                    path,
                    "HC18" if head else "FETAL_PLANES_DB",
                    f"group {number}",
                    split,
                    plane=BRAIN if head else PLANES.index("femur"),
                    spacing_mm=0.5 if head else None,
                    hc_mm=172.5 if head else None,
                )
            )
    return samples
