"""FETAL_PLANES_DB in its original layout: standard planes, split by patient.

Burgos-Artizzu et al., Sci Rep 10, 10200, 2020; DOI 10.5281/zenodo.3904280, CC BY 4.0.
The CSV is separated by semicolons, its last header is ``Train `` and names lack ``.png``.
"""

from __future__ import annotations

import csv
from pathlib import Path

from distill.data.sample import Sample, Split
from fetalclip_edge.errors import InputError

PLANES = ("brain", "abdomen", "femur", "thorax", "cervix", "other")
BRAIN = PLANES.index("brain")
FOUR_CLASSES = ("brain", "abdomen", "femur", "thorax")
"""The classes with enough frames to carry statistics."""

_NAMES = {
    "Fetal brain": "brain",
    "Fetal abdomen": "abdomen",
    "Fetal femur": "femur",
    "Fetal thorax": "thorax",
    "Maternal cervix": "cervix",
    "Other": "other",
}
_VALIDATION_EVERY = 7


def load_planes(root: Path) -> list[Sample]:
    """Returns the frames below `root`, a folder with the CSV and `Images`.

    The official test patients are the test; of the official training patients every seventh
    number is set aside for validation.

    Raises:
        InputError: the layout is not FETAL_PLANES_DB's.
    """
    table = root / "FETAL_PLANES_DB_data.csv"
    if not table.is_file():
        raise InputError("FETAL_PLANES_DB", expected=str(table), arrived="no such file")
    samples = []
    with table.open(newline="") as rows:
        for row in csv.DictReader(rows, delimiter=";"):
            image = root / "Images" / f"{row['Image_name']}.png"
            if not image.is_file():
                continue
            patient = int(row["Patient_num"])
            if row["Train "].strip() != "1":
                split = Split.TEST
            elif patient % _VALIDATION_EVERY == 0:
                split = Split.VALIDATION
            else:
                split = Split.TRAIN
            samples.append(
                Sample(
                    image=image,
                    data_set="FETAL_PLANES_DB",
                    group=f"patient {patient}",
                    split=split,
                    plane=PLANES.index(_NAMES[row["Plane"]]),
                )
            )
    return samples
