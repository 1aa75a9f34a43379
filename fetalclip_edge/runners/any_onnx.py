"""Runs any ONNX file of fixed shapes on made-up input, to time architectures side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fetalclip_edge.errors import InputError
from fetalclip_edge.runners.package import ERRORS_ONLY, onnxruntime

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class AnyOnnx:
    """An ONNX file in ONNX Runtime on the CPU.

    Args:
        path: the file.
        threads: threads inside an operator; 0 leaves the choice to ONNX Runtime.

    Raises:
        InputError: it cannot be loaded, or an input has no fixed shape or another type.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = ERRORS_ONLY
        try:
            self._session: Any = onnxruntime.InferenceSession(
                path.read_bytes(), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # (its exceptions share no base of their own)
            raise InputError(
                f"{path}",
                expected="a model that ONNX Runtime can load",
                arrived=" ".join(str(error).split())[:200],
            ) from None
        generator = np.random.default_rng(0)
        self._feed = {}
        for item in self._session.get_inputs():
            if item.type not in _TYPES or not all(isinstance(side, int) for side in item.shape):
                raise InputError(
                    f"input {item.name!r} of {path}",
                    expected="float or uint8 of a fixed shape",
                    arrived=f"{item.type} {list(item.shape)}",
                )
            values = generator.integers(0, 256, item.shape)
            self._feed[item.name] = values.astype(_TYPES[item.type])

    def run(self) -> None:
        """Runs it once."""
        self._session.run(None, self._feed)
