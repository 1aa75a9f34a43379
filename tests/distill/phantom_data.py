"""Small data sets in the layouts of HC18 and FETAL_PLANES_DB, drawn by the project's phantom."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import cv2
import numpy as np

from fetalclip_edge.phantom import Phantom, PhantomFrame

SIZE_HW = (128, 160)
# file number // 20 is the block; blocks 2 and 4 of six are test and validation
HEADS = {
    "train": (0, 1, 20, 21, 60, 61, 100, 101),
    "test": (40, 41, 42),
    "validation": (80, 81, 82),
}
# (patient, official training flag); every seventh training patient validates
PATIENTS = ((1, 1), (2, 1), (3, 1), (4, 1), (7, 1), (14, 1), (101, 0), (103, 0))
PLANES = ("Fetal brain", "Fetal abdomen", "Fetal femur", "Fetal thorax")


def draw_data(folder: Path) -> Path:
    """Writes `folder`/hc18 and `folder`/planes, and returns `folder`."""
    _draw_heads(folder / "hc18")
    _draw_planes(folder / "planes")
    return folder


def _draw_heads(root: Path) -> None:
    (root / "training_set").mkdir(parents=True)
    with (root / "training_set_pixel_size_and_HC.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("filename", "pixel size(mm)", "head circumference (mm)"))
        for number in sorted(n for part in HEADS.values() for n in part):
            drawn = Phantom(number + 1, SIZE_HW).draw(0.0)
            name = f"{number:03d}_HC.png"
            cv2.imwrite(str(root / "training_set" / name), drawn.pixels)
            annotation = root / "training_set" / f"{number:03d}_HC_Annotation.png"
            cv2.imwrite(str(annotation), _outline(drawn))
            table.writerow((name, f"{drawn.spacing_mm:.6f}", f"{drawn.true_hc_mm:.3f}"))


def _outline(drawn: PhantomFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image = np.zeros(SIZE_HW, np.uint8)
    e = drawn.ellipse
    box = (e.center_xy, (2 * e.semi_major, 2 * e.semi_minor), math.degrees(e.angle_rad))
    cv2.ellipse(image, box, 255, 1)
    return image


def _draw_planes(root: Path) -> None:
    (root / "Images").mkdir(parents=True)
    with (root / "FETAL_PLANES_DB_data.csv").open("w", newline="") as out:
        table = csv.writer(out, delimiter=";")
        table.writerow(("Image_name", "Patient_num", "Plane", "Train "))
        for patient, train in PATIENTS:
            for place, plane in enumerate(PLANES):
                name = f"Patient{patient:05d}_Plane{place + 1}_1_of_1"
                image = Phantom(1000 + patient, SIZE_HW).draw(0.0).pixels
                if place > 0:  # no head: stripes whose direction tells the plane
                    image = _stripes(patient, place)
                cv2.imwrite(str(root / "Images" / f"{name}.png"), image)
                table.writerow((name, patient, plane, train))


def _stripes(patient: int, place: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rows, columns = np.mgrid[0 : SIZE_HW[0], 0 : SIZE_HW[1]]
    angle = place * math.pi / 3
    wave = np.sin((rows * math.sin(angle) + columns * math.cos(angle)) / 4 + patient)
    return np.asarray(110 + 80 * wave, np.uint8)
