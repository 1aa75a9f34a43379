"""The log of a run: one JSON line an epoch, one CSV row a step, and TensorBoard if it is there."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from distill.checkpoint import Position
from distill.record_file import write_bytes
from fetalclip_edge.errors import SinkError

EPOCHS_NAME = "log.jsonl"
STEPS_NAME = "steps.csv"


class RunLog:
    """Appends whole lines; a run that goes on first drops what its checkpoint does not know of.

    Args:
        folder: of the run.
        position: where the run begins or goes on.

    Raises:
        SinkError: a file cannot be written.
    """

    def __init__(self, folder: Path, position: Position) -> None:
        self._epochs, self._steps = folder / EPOCHS_NAME, folder / STEPS_NAME
        _keep(self._epochs, lambda line: int(json.loads(line)["epoch"]) < position.epoch)
        _keep(self._steps, lambda line: _row_step(line) <= position.step)
        self._board: Any = None
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=position.step)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._board is not None:
            self._board.close()

    def step(self, step: int, values: Mapping[str, float]) -> None:
        """Writes one row: the step's number, then `values`, whose keys are always the same."""
        row = io.StringIO()
        table = csv.writer(row, lineterminator="\n")
        if not self._steps.is_file() or self._steps.stat().st_size == 0:
            table.writerow(("step", *values))
        table.writerow((step, *(f"{value:.6g}" for value in values.values())))
        _append(self._steps, row.getvalue())
        self._to_board("step", step, values)

    def epoch(self, epoch: int, step: int, values: Mapping[str, float | int | None]) -> None:
        """Writes one line: the epoch's number and `values`."""
        _append(self._epochs, json.dumps({"epoch": epoch, **values}) + "\n")
        known = {name: value for name, value in values.items() if value is not None}
        self._to_board("epoch", step, known)

    def _to_board(self, group: str, step: int, values: Mapping[str, float]) -> None:
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{group}/{name}", value, step)


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a") as log:
            log.write(text)
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written",
            arrived=error.strerror or "an error",
            remedy="Free space; the run goes on from its last checkpoint",
        ) from None


def _row_step(line: str) -> int:
    """Returns the step of a row; 0 for the header."""
    first = line.split(",", maxsplit=1)[0]
    return 0 if first == "step" else int(first)


def _keep(path: Path, wanted: Callable[[str], bool]) -> None:
    """Drops the lines of `path` that are not wanted, and a last one that was cut off."""
    if not path.is_file():
        return
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    kept = [line for line in whole if wanted(line)]
    write_bytes(path, "".join(kept).encode())
