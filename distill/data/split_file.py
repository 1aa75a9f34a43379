"""The split of a run as a CSV table: who was trained on, who was chosen on, who was left alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from distill.data.sample import Sample, Split

SPLIT_NAME = "split.csv"
_HEADER = ("data_set", "group", "image", "split", "labels_used")


@dataclass(frozen=True, slots=True)
class SplitTable:
    """The frames of a run, by part.

    Attributes:
        samples: every frame, test frames too.
        visible: whether the labels of a frame are used; one for each training frame, in order.
    """

    samples: Sequence[Sample]
    visible: Sequence[bool]

    def csv_bytes(self) -> bytes:
        """Returns the table; images by name, so that it is the same wherever the data lie."""
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(_HEADER)
        visible = iter(self.visible)
        for sample in self.samples:
            used = next(visible) if sample.split is Split.TRAIN else True
            table.writerow(
                (sample.data_set, sample.group, sample.image.name, sample.split.value, int(used))
            )
        return text.getvalue().encode()
