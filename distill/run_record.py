"""What a training run was: written when it begins, read by whoever takes up its checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.model import StudentSpec
from distill.train import TrainConfig
from fetalclip_edge.errors import InputError, UsageError

RECORD_NAME = "run.json"
CHECKPOINT_NAME = "best.pt"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run's student and recipe.

    Attributes:
        spec: the student.
        config: how it is trained.
    """

    spec: StudentSpec
    config: TrainConfig

    def save(self, folder: Path) -> None:
        """Writes the record into a run's folder.

        Raises:
            UsageError: the folder holds a run with another student or recipe.
        """
        path = folder / RECORD_NAME
        if path.is_file() and RunRecord.load(folder) != self:
            raise UsageError(
                f"--run {folder}",
                expected="a new folder, or the options that the run was begun with",
                arrived="a run with other options",
                remedy=f"See {path}, or give another folder",
            )
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> RunRecord:
        """Returns the record of a run; `InputError` where there is none."""
        path = folder / RECORD_NAME
        try:
            fields = json.loads(path.read_text())
            return cls(StudentSpec(**fields["spec"]), TrainConfig(**fields["config"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"run {folder}",
                expected=f"a {RECORD_NAME} written by `fetalclip-edge distill`",
                arrived=str(error) or type(error).__name__,
            ) from None
