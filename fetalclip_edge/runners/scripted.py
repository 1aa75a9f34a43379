"""A runner that says what it was told to say: for demonstrations, tests and dry runs.

It ships with the product, so that the pipeline can be run without a model and without patching.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.runners.base import InferenceContext, Outputs, Runner, RunnerInfo

SCRIPTED = RunnerInfo(backend="scripted", provider="none", precision="fp32", version="1")


def check_tensor(tensor: NDArray[np.uint8], size_px: int | None) -> None:
    """Raises `ValueError` unless `tensor` is uint8 (1, 1, S, S), with S = `size_px` if given."""
    side = tensor.shape[-1] if size_px is None and tensor.ndim else size_px
    if tensor.dtype != np.uint8 or tensor.shape != (1, 1, side, side):
        wanted = "S, S" if size_px is None else f"{size_px}, {size_px}"
        raise ValueError(
            f"tensor must be uint8 of shape (1, 1, {wanted}), "
            f"got {tensor.dtype} of shape {tensor.shape}"
        )


class ScriptedRunner(Runner):
    """Returns given outputs in turn, and starts again after the last.

    Args:
        outputs: what the graph says, call by call; each context starts at the first.
        info: what `info` returns, for a stand-in of a certain backend.
        size_px: side of the input it accepts; None accepts any square.
    """

    def __init__(
        self,
        outputs: Sequence[Outputs],
        info: RunnerInfo = SCRIPTED,
        *,
        size_px: int | None = None,
    ) -> None:
        if not outputs:
            raise ValueError("a scripted runner needs at least one set of outputs, got none")
        for step, named in enumerate(outputs):
            for name, array in named.items():
                if array.dtype != np.float32 or array.shape[:1] != (1,):
                    raise ValueError(
                        f"output {name!r} of step {step} must be float32 with a leading axis of 1, "
                        f"got {array.dtype} of shape {array.shape}"
                    )
        self._outputs = tuple(outputs)
        self._info = info
        self._size_px = size_px
        self._entered = False

    def __enter__(self) -> ScriptedRunner:
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered = False

    def info(self) -> RunnerInfo:
        """Says what it stands in for."""
        return self._info

    def new_context(self) -> ScriptedContext:
        """Returns a stream that starts at the first outputs."""
        if not self._entered:
            raise RuntimeError("a runner must be entered (`with runner:`) before it is used")
        return ScriptedContext(self._outputs, self._size_px)


class ScriptedContext(InferenceContext):
    """One stream of a `ScriptedRunner`."""

    def __init__(self, outputs: tuple[Outputs, ...], size_px: int | None) -> None:
        self._outputs = outputs
        self._size_px = size_px
        self._calls = 0

    def infer(self, tensor: NDArray[np.uint8]) -> Outputs:
        """Returns the next outputs; the tensor is only checked."""
        check_tensor(tensor, self._size_px)
        outputs = self._outputs[self._calls % len(self._outputs)]
        self._calls += 1
        return outputs
