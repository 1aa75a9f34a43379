"""Runs a model file with ONNX Runtime, on the provider that was asked for or not at all.

A silent fall back to the CPU would keep the results and lose the real time, so every way in
which ONNX Runtime falls back is closed: at session creation (`session.disable_cpu_ep_fallback`),
while running (`disable_fallback`), and by reading back what it chose.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.errors import BundleError, ProviderError
from fetalclip_edge.runners.base import InferenceContext, Outputs, Runner, RunnerInfo
from fetalclip_edge.runners.package import ERRORS_ONLY, onnxruntime
from fetalclip_edge.runners.scripted import check_tensor

CPU = "CPUExecutionProvider"
_BAD_MODEL = "The file does not fit this runtime; export the bundle again or upgrade onnxruntime"


class OnnxRuntimeRunner(Runner):
    """A model in one ONNX Runtime session that all contexts share.

    Args:
        path: the model file; check it with `load_bundle` first.
        precision: "fp32", "fp16" or "int8", as the bundle says.
        provider: the execution provider to use.
        threads: threads inside an operator; 0 leaves the choice to ONNX Runtime.
        optimize: let ONNX Runtime rewrite the graph. A file that is meant for another backend is
            judged as it is written: ONNX Runtime 1.32 quantizes float16 wrongly where it has
            rewritten the graph (values beyond the range do not saturate).
    """

    def __init__(
        self,
        path: Path,
        *,
        precision: str,
        provider: str = CPU,
        threads: int = 0,
        optimize: bool = True,
    ) -> None:
        if threads < 0:
            raise ValueError(f"threads must be 0 or more, got {threads}")
        self._path = path
        self._precision = precision
        self._provider = provider
        self._threads = threads
        self._optimize = optimize
        self._session: Any = None
        self._size_px = 0

    def __enter__(self) -> OnnxRuntimeRunner:
        session = self._create()
        got = session.get_providers()
        # the CPU is always listed last; what counts is what comes first
        if not got or got[0] != self._provider:
            raise ProviderError(
                "execution provider",
                expected=self._provider,
                arrived=", ".join(got),
                remedy="Install the provider's libraries, or ask for CPUExecutionProvider",
            )
        session.disable_fallback()
        self._size_px = _input_side(session, self._path)
        _check_outputs(session, self._path)
        self._session = session
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session = None

    def info(self) -> RunnerInfo:
        """Says what really runs; needs an entered runner."""
        return RunnerInfo(
            backend="onnxruntime",
            provider=self._entered().get_providers()[0],
            precision=self._precision,
            version=onnxruntime.__version__,
        )

    def new_context(self) -> OnnxRuntimeContext:
        """Returns buffers for one more stream."""
        return OnnxRuntimeContext(self._entered(), self._size_px)

    def _entered(self) -> Any:  # noqa: ANN401 (onnxruntime ships no types)
        if self._session is None:
            raise RuntimeError("a runner must be entered (`with runner:`) before it is used")
        return self._session

    def _create(self) -> Any:  # noqa: ANN401
        there = onnxruntime.get_available_providers()
        if self._provider not in there:
            raise ProviderError(
                "execution provider",
                expected=self._provider,
                arrived=f"an onnxruntime with {', '.join(there)}",
                remedy="Ask for one of these, or install an onnxruntime that has it",
            )
        options = onnxruntime.SessionOptions()
        levels = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = (
            levels.ORT_ENABLE_ALL if self._optimize else levels.ORT_DISABLE_ALL
        )
        options.intra_op_num_threads = self._threads
        options.log_severity_level = ERRORS_ONLY
        # worker threads that spin between frames wake faster than threads that sleep
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        if self._provider != CPU:
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            # bytes, not the path: a model cannot pull in weights from other files
            model = self._path.read_bytes()
        except OSError as error:
            raise BundleError(
                f"{self._path}",
                expected="a model file that can be read",
                arrived=error.strerror or type(error).__name__,
                remedy="Check that it exists and that this user may read it",
            ) from None
        try:
            return onnxruntime.InferenceSession(
                model, sess_options=options, providers=[self._provider], enable_fallback=0
            )
        except Exception as error:  # (its exceptions share no base of their own)
            raise self._refused(error) from None

    def _refused(self, error: Exception) -> BundleError | ProviderError:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        names_model = type(error).__name__ in ("InvalidProtobuf", "InvalidGraph")
        if names_model or self._provider == CPU:
            return BundleError(
                f"{self._path}",
                expected="a model that ONNX Runtime can load",
                arrived=reason,
                remedy=_BAD_MODEL,
            )
        return ProviderError(
            f"{self._provider} cannot run {self._path.name}",
            expected="the whole model on this provider",
            arrived=reason,
            remedy="Ask for another provider or precision",
        )


class OnnxRuntimeContext(InferenceContext):
    """Input and output buffers of one stream, bound once so that a run allocates none."""

    def __init__(self, session: Any, size_px: int) -> None:  # noqa: ANN401
        self._session = session
        self._size_px = size_px
        self._input = np.zeros((1, 1, size_px, size_px), np.uint8)
        self._outputs = {
            item.name: np.zeros(item.shape, np.float32) for item in session.get_outputs()
        }
        self._binding = session.io_binding()
        self._binding.bind_input(
            session.get_inputs()[0].name,
            "cpu",
            0,
            np.uint8,
            self._input.shape,
            self._input.ctypes.data,
        )
        for name, buffer in self._outputs.items():
            self._binding.bind_output(name, "cpu", 0, np.float32, buffer.shape, buffer.ctypes.data)

    def infer(self, tensor: NDArray[np.uint8]) -> Outputs:
        """Runs the network once; see `InferenceContext.infer`."""
        check_tensor(tensor, self._size_px)
        np.copyto(self._input, tensor)
        self._session.run_with_iobinding(self._binding)
        return self._outputs


def _input_side(session: Any, path: Path) -> int:  # noqa: ANN401
    found = [(item.type, list(item.shape)) for item in session.get_inputs()]
    if len(found) == 1 and found[0][0] == "tensor(uint8)":
        shape = found[0][1]
        if len(shape) == 4 and isinstance(shape[3], int) and shape == [1, 1, shape[3], shape[3]]:
            return shape[3]
    raise BundleError(
        f"inputs of {path}",
        expected="one uint8 (1, 1, S, S)",
        arrived=f"{found}",
        remedy="Export the bundle again",
    )


def _check_outputs(session: Any, path: Path) -> None:  # noqa: ANN401
    for item in session.get_outputs():
        fixed = bool(item.shape) and all(isinstance(side, int) for side in item.shape)
        if item.type != "tensor(float)" or not fixed or item.shape[0] != 1:
            raise BundleError(
                f"output {item.name!r} of {path}",
                expected="float32 of a fixed shape that starts with 1",
                arrived=f"{item.type} {list(item.shape)}",
                remedy="Export the bundle again",
            )
