"""Whether INT8 is worth it here: the whole network pass of both files, taking turns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.benchmark import Timing, speed_up, take_turns
from fetalclip_edge.runners.onnxruntime import OnnxRuntimeRunner

WORTH_IT = 1.15
"""Speed-up below which INT8 costs more in doubt than it saves in time."""

ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Speed:
    """Durations of one pass through the network, without pre- and postprocessing.

    Attributes:
        fp32: of the fp32 file.
        int8: of the INT8 file.
    """

    fp32: Timing
    int8: Timing

    @property
    def ratio(self) -> float:
        """How many times faster INT8 is."""
        return speed_up(self.fp32, self.int8)

    @property
    def worth_it(self) -> bool:
        """Whether INT8 brings enough."""
        return self.ratio >= WORTH_IT


def measure_speed(fp32: Path, int8: Path, squares: NDArray[np.uint8]) -> Speed:
    """Times both files in ONNX Runtime on frames uint8 (N, 1, S, S)."""
    with (
        OnnxRuntimeRunner(fp32, precision="fp32") as slow,
        OnnxRuntimeRunner(int8, precision="int8") as fast,
    ):
        a, b = slow.new_context(), fast.new_context()

        def square(number: int) -> NDArray[np.uint8]:
            frame: NDArray[np.uint8] = squares[number % len(squares)][None]
            return frame

        spent = take_turns(
            {"fp32": lambda n: a.infer(square(n)), "int8": lambda n: b.infer(square(n))}, ROUNDS
        )
    return Speed(spent["fp32"], spent["int8"])
