"""HC18 in its original layout: fetal heads with their outline and circumference.

van den Heuvel et al., PLoS ONE 13(8): e0200412, 2018; DOI 10.5281/zenodo.1327317, CC BY 4.0.
File numbers are not patients (806 numbers, 551 women), so it is split by blocks of 20 numbers.
"""

from __future__ import annotations

import csv
from pathlib import Path

from distill.data.planes import BRAIN
from distill.data.sample import Sample, Split
from fetalclip_edge.errors import InputError

BLOCK = 20
_CYCLE = (Split.TRAIN, Split.TRAIN, Split.TEST, Split.TRAIN, Split.VALIDATION, Split.TRAIN)


def load_hc18(root: Path) -> list[Sample]:
    """Returns the labelled frames below `root`, a folder with the CSV and `training_set`.

    Every block of 20 file numbers belongs to one split; of six blocks four are for training,
    one for validation and one for the test. Every frame is a brain plane.

    Raises:
        InputError: the layout is not HC18's.
    """
    table = root / "training_set_pixel_size_and_HC.csv"
    if not table.is_file():
        raise InputError("HC18", expected=str(table), arrived="no such file")
    folder = root / "training_set"
    if (folder / "training_set").is_dir():  # the public archive nests its top folder
        folder = folder / "training_set"
    samples = []
    with table.open(newline="") as rows:
        for row in csv.DictReader(rows):
            image = folder / row["filename"]
            outline = image.with_name(f"{image.stem}_Annotation.png")
            if not image.is_file() or not outline.is_file():
                continue
            block = int(image.name.split("_")[0]) // BLOCK
            samples.append(
                Sample(
                    image=image,
                    data_set="HC18",
                    group=f"block {block}",
                    split=_CYCLE[block % len(_CYCLE)],
                    plane=BRAIN,
                    outline=outline,
                    spacing_mm=float(row["pixel size(mm)"]),
                    hc_mm=float(row["head circumference (mm)"]),
                )
            )
    return samples
