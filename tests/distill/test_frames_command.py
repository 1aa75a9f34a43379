"""`frames` writes what the loaders say: paths, split, plane and truth of each labelled frame."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from distill.cli.frames import command
from fetalclip_edge.labelled_frames import read_labelled_frames


def test_the_table_holds_the_split_of_the_loaders(tmp_path: Path) -> None:
    hc18, planes = tmp_path / "hc18", tmp_path / "planes"
    (hc18 / "training_set").mkdir(parents=True)
    (planes / "Images").mkdir(parents=True)
    image = np.zeros((32, 32), np.uint8)
    for name in ("000_HC", "000_HC_Annotation", "050_HC", "050_HC_Annotation"):
        cv2.imwrite(str(hc18 / "training_set" / f"{name}.png"), image)
    (hc18 / "training_set_pixel_size_and_HC.csv").write_text(
        "filename,pixel size(mm),head circumference (mm)\n000_HC.png,0.1,170.5\n050_HC.png,0.2,99\n"
    )
    cv2.imwrite(str(planes / "Images" / "Patient00007_Plane3_1_of_1.png"), image)
    (planes / "FETAL_PLANES_DB_data.csv").write_text(
        "Image_name;Patient_num;Plane;Train \nPatient00007_Plane3_1_of_1;7;Fetal femur;1\n"
    )
    table = tmp_path / "out" / "frames.csv"
    command(tmp_path, table)
    frames = {frame.image.name: frame for frame in read_labelled_frames(table)}
    assert len(frames) == 3
    train, test = frames["000_HC.png"], frames["050_HC.png"]  # blocks 0 and 2 of 20 numbers
    assert (train.split, train.plane, train.spacing_mm, train.hc_mm) == (
        "train", "brain", 0.1, 170.5
    )  # fmt: skip
    assert train.outline == hc18 / "training_set" / "000_HC_Annotation.png"
    assert test.split == "test"
    plane = frames["Patient00007_Plane3_1_of_1.png"]
    assert (plane.split, plane.plane, plane.outline, plane.hc_mm) == (
        "validation", "femur", None, None
    )  # fmt: skip
