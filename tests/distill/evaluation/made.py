"""Outcomes made by hand, and a tiny data folder in the layouts of HC18 and FETAL_PLANES_DB."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from distill.data.sample import Sample, Split
from distill.evaluation.heads import HeadOutcome
from distill.evaluation.outcome import Outcome, Overlap
from fetalclip_edge.phantom import Phantom

HEADS = {3: 2, 45: 4, 85: 1}
"""File number -> frames of it; blocks of 20: train, test, validation."""

_CLASSES = (
    ("Fetal brain", 3),
    ("Fetal abdomen", 4),
    ("Fetal femur", 5),
    ("Fetal thorax", 6),
)
_PATIENTS = (("1", 90001, 3), ("1", 90006, 1), ("0", 90003, 2))
"""Train, first of the four patients that show one class each, frames; 90006 validates."""


def head(
    dsc: tuple[int, int, int] = (1, 1, 1),
    *,
    true_hc_mm: float = 180.0,
    hc_mm: float | None = 180.0,
    ga_days: float | None = None,
    number: int = 0,
) -> HeadOutcome:
    """A head's outcome; `dsc` is (both, true, predicted) pixels."""
    overlap = Overlap(*dsc)
    sample = Sample(
        Path(f"{number:03d}_HC.png"),
        "HC18",
        f"block {number // 20}",
        Split.TEST,
        plane=0,
        outline=Path("outline.png"),
        spacing_mm=0.1,
        hc_mm=true_hc_mm,
    )
    outcome = Outcome(
        sample, 0, 1.0, (), overlap, hc_mm, 1.0, 0.0, 0.0, ga_days, np.zeros(2, np.float32)
    )
    return HeadOutcome(outcome, true_hc_mm, overlap.dsc)


def write_data(folder: Path) -> None:
    """Writes phantom heads and textures of four planes, with splits as the loaders make them."""
    _write_hc18(folder / "hc18")
    _write_planes(folder / "planes")


def _write_hc18(root: Path) -> None:
    (root / "training_set").mkdir(parents=True)
    rows = ["filename,pixel size(mm),head circumference (mm)"]
    for number, frames in HEADS.items():
        phantom = Phantom(number, (270, 400))
        for k in range(frames):
            name = f"{number:03d}_{k + 1 if k else ''}HC"
            drawn = phantom.draw(float(k))
            outline = np.zeros(drawn.pixels.shape, np.uint8)
            ellipse, one = drawn.ellipse, 1 << 4
            center = tuple(round(v * one) for v in ellipse.center_xy)
            axes = round(ellipse.semi_major * one), round(ellipse.semi_minor * one)
            angle = float(np.degrees(ellipse.angle_rad))
            cv2.ellipse(outline, center, axes, angle, 0, 360, (255,), 1, cv2.LINE_8, 4)
            cv2.imwrite(str(root / "training_set" / f"{name}.png"), drawn.pixels)
            cv2.imwrite(str(root / "training_set" / f"{name}_Annotation.png"), outline)
            rows.append(f"{name}.png,{drawn.spacing_mm},{drawn.true_hc_mm}")
    (root / "training_set_pixel_size_and_HC.csv").write_text("\n".join(rows) + "\n")


def _write_planes(root: Path) -> None:
    (root / "Images").mkdir(parents=True)
    rows = ["Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train "]
    for train, patient, frames in _PATIENTS:
        for place, (plane, number) in enumerate(_CLASSES):
            who = patient + 7 * place  # keeps who validates
            for k in range(frames):
                name = f"Patient{who:05d}_Plane{number}_{k + 1}_of_{frames}"
                cv2.imwrite(str(root / "Images" / f"{name}.png"), _texture(place, who + k))
                rows.append(f"{name};{who};{plane};Not A Brain;Other;Other;{train}")
    (root / "FETAL_PLANES_DB_data.csv").write_text("\n".join(rows) + "\n")


def _texture(place: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(seed)
    image = rng.normal(90, 20, (96, 128)).astype(np.float32)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0 + 2 * place), np.float32)
    cv2.circle(image, (20 + 28 * place, 48), 10 + 6 * place, (220.0,), 2 + place)
    return np.clip(image, 0, 255).astype(np.uint8)
