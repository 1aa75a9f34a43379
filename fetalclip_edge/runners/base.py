"""The seam between the pipeline and whatever runs the network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

Outputs = Mapping[str, NDArray[np.float32]]
"""Output name of the graph -> float32 array with a leading batch axis of 1."""


@dataclass(frozen=True, slots=True)
class RunnerInfo:
    """What really runs, as read back from the backend.

    Attributes:
        backend: "onnxruntime", "tensorrt" or "scripted".
        provider: the execution provider in use.
        precision: "fp32", "fp16" or "int8".
        version: version of the backend.
    """

    backend: str
    provider: str
    precision: str
    version: str


class InferenceContext(ABC):
    """Buffers of one stream; used by one thread at a time."""

    @abstractmethod
    def infer(self, tensor: NDArray[np.uint8]) -> Outputs:
        """Runs the network once.

        Args:
            tensor: uint8 (1, 1, S, S), gray, in [0, 255].

        Returns:
            Every output of the graph; valid until the next call on this context.
        """


class Runner(ABC):
    """A loaded model. The device is untouched until it is entered."""

    @abstractmethod
    def __enter__(self) -> Runner:
        """Loads the model; raises `ProviderError` or `BundleError` where that fails."""

    @abstractmethod
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Releases the model."""

    @abstractmethod
    def info(self) -> RunnerInfo:
        """Says what really runs."""

    @abstractmethod
    def new_context(self) -> InferenceContext:
        """Returns buffers for one more stream over the same model; may be called by any thread."""
