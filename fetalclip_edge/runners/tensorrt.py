"""Runs an engine with TensorRT: buffers made once, one launch a frame, no work on the host.

An engine is loaded only when its bytes and its target are those of its sidecar, since it may
carry host code and gives wrong numbers, or none, on another machine.
"""

from __future__ import annotations

import threading
import weakref
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.errors import BundleError, ProviderError
from fetalclip_edge.runners.base import InferenceContext, Outputs, Runner, RunnerInfo
from fetalclip_edge.runners.scripted import check_tensor
from fetalclip_edge.tensorrt.cuda import (
    DeviceBuffer,
    Graph,
    PinnedArray,
    Stopwatch,
    Stream,
    device_info,
)
from fetalclip_edge.tensorrt.logger import KeepingLogger
from fetalclip_edge.tensorrt.package import VERSION, check_version, trt
from fetalclip_edge.tensorrt.sidecar import mismatch
from fetalclip_edge.tensorrt.store import Engine
from fetalclip_edge.tensorrt.target import read_target

WARM_UP_RUNS = 5


class TensorRtRunner(Runner):
    """An engine that all contexts share.

    Args:
        engine: the engine and its sidecar; find it with `store.find_engine`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine_file = engine
        self._logger = KeepingLogger()
        self._runtime: trt.Runtime | None = None
        self._engine: trt.ICudaEngine | None = None
        self._provider = ""
        self._contexts: weakref.WeakSet[TensorRtContext] = weakref.WeakSet()
        self._lock = threading.Lock()

    def __enter__(self) -> TensorRtRunner:
        check_version()
        info = device_info()
        self._provider = f"{info.name}, SM {info.compute_capability}"
        reason = mismatch(self._engine_file.sidecar, read_target())
        if reason is not None:
            raise self._unusable(reason)
        data = self._engine_file.read()
        try:
            runtime: trt.Runtime = trt.Runtime(self._logger)
        except TypeError:
            # the bindings' word for a library that returned nothing
            raise self._unusable(self._logger.reason()) from None
        if self._engine_file.sidecar.version_compatible:
            # such an engine brings the code that runs it; its hash has been checked above
            runtime.engine_host_code_allowed = True
        engine: trt.ICudaEngine | None = runtime.deserialize_cuda_engine(data)
        if engine is None:
            raise self._unusable(self._logger.reason())
        self._runtime, self._engine = runtime, engine
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            for context in list(self._contexts):
                context.close()
            # contexts before the engine, the engine before its runtime
            self._engine = None
            self._runtime = None

    def info(self) -> RunnerInfo:
        """Says what really runs; needs an entered runner."""
        self._entered()
        return RunnerInfo(
            backend="tensorrt",
            provider=self._provider,
            precision=self._engine_file.sidecar.precision.value,
            version=VERSION,
        )

    def new_context(self) -> TensorRtContext:
        """Returns buffers for one more stream."""
        with self._lock:
            context = TensorRtContext(self._entered(), self._logger)
            self._contexts.add(context)
            return context

    def _entered(self) -> trt.ICudaEngine:
        if self._engine is None:
            raise RuntimeError("a runner must be entered (`with runner:`) before it is used")
        return self._engine

    def _unusable(self, reason: str) -> ProviderError:
        return ProviderError(
            f"engine {self._engine_file.path}",
            expected="an engine for this machine",
            arrived=reason,
            remedy="Run: fetalclip-edge build",
        )


class TensorRtContext(InferenceContext):
    """Buffers, stream and captured graph of one stream of frames; made and warmed up once.

    Attributes:
        uses_graph: whether a frame is one launch of a captured graph, or its calls one by one.
    """

    def __init__(self, engine: trt.ICudaEngine, logger: KeepingLogger) -> None:
        ends = _ends(engine)
        execution: trt.IExecutionContext | None = engine.create_execution_context()
        if execution is None:
            raise ProviderError(
                "TensorRT execution context",
                expected="memory for one more stream",
                arrived=logger.reason(),
                remedy="Free memory of the GPU",
            )
        self._resources = _Resources(execution, ends, logger)
        # what a forgotten context holds goes with it
        self._release = weakref.finalize(self, self._resources.close)
        self._release.atexit = False  # CUDA may be gone by then, and takes all with it
        try:
            self._resources.warm_up(execution)
        except BaseException:
            self.close()
            raise
        self.uses_graph = self._resources.graph is not None

    @property
    def device_ms(self) -> float:
        """Time that the last frame took on the GPU, copies included."""
        return self._resources.stopwatch.elapsed_ms()

    def infer(self, tensor: NDArray[np.uint8]) -> Outputs:
        """Runs the network once; see `InferenceContext.infer`."""
        resources = self._resources
        check_tensor(tensor, resources.frame.values.shape[-1])
        np.copyto(resources.frame.values, tensor)
        resources.run()
        return resources.outputs

    def close(self) -> None:
        """Releases what it holds on the GPU; the arrays that `infer` gave stay readable."""
        self._release()


class _Resources:
    """What one context holds on the GPU, apart from it so that it can outlive and release it."""

    def __init__(
        self,
        execution: trt.IExecutionContext,
        ends: dict[str, tuple[tuple[int, ...], Any]],
        logger: KeepingLogger,
    ) -> None:
        self._execution: trt.IExecutionContext | None = execution
        self._logger = logger
        self._host: dict[str, PinnedArray] = {}
        self._device: dict[str, DeviceBuffer] = {}
        self.graph: Graph | None = None
        self.stream = Stream()
        self.stopwatch = Stopwatch()
        try:
            for name, (shape, dtype) in ends.items():
                self._host[name] = PinnedArray(shape, dtype)
                self._device[name] = DeviceBuffer(self._host[name].size_bytes)
                self._check(execution.set_tensor_address(name, self._device[name].address))
        except BaseException:
            self.close()
            raise
        self._input, *self._output_names = ends
        self.frame = self._host[self._input]
        self.outputs = {name: self._host[name].values for name in self._output_names}

    def warm_up(self, execution: trt.IExecutionContext) -> None:
        """Runs some times, and captures the graph where TensorRT's work can be captured."""
        for _ in range(WARM_UP_RUNS):
            self.run()
        try:
            self.graph = Graph(self.stream, lambda: self._enqueue(execution))
            self.run()
        except ProviderError:
            # a layer that needs the host cannot be captured; its calls one by one still serve
            if self.graph is not None:
                self.graph.close()
            self.graph = None
            self.run()

    def run(self) -> None:
        """Takes the input to the GPU, runs, brings the outputs back, and waits for them."""
        if self._execution is None:
            raise RuntimeError("this context was released with its runner")
        self.stopwatch.start(self.stream)
        if self.graph is not None:
            self.graph.launch(self.stream)
        else:
            self._enqueue(self._execution)
        self.stopwatch.stop(self.stream)
        self.stream.synchronize()

    def close(self) -> None:
        """Releases everything, in the order that CUDA wants."""
        if self.graph is not None:
            self.graph.close()
            self.graph = None
        self._execution = None
        for buffer in self._device.values():
            buffer.close()
        self.stopwatch.close()
        self.stream.close()

    def _enqueue(self, execution: trt.IExecutionContext) -> None:
        self.stream.copy_in(self.frame, self._device[self._input])
        self._check(execution.execute_async_v3(int(self.stream.handle)))
        for name in self._output_names:
            self.stream.copy_out(self._device[name], self._host[name])

    def _check(self, done: bool) -> None:
        if not done:
            raise ProviderError(
                "TensorRT",
                expected="a frame that runs",
                arrived=self._logger.reason(),
                remedy="Run: fetalclip-edge build",
            )


def _ends(engine: trt.ICudaEngine) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Returns name -> (shape, dtype of the host) of the input, then of every output."""
    inputs: dict[str, tuple[tuple[int, ...], Any]] = {}
    outputs: dict[str, tuple[tuple[int, ...], Any]] = {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        dims: Any = engine.get_tensor_shape(name)  # a sequence, which the bindings do not say
        shape, dtype = tuple(dims), engine.get_tensor_dtype(name)
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        wanted = trt.DataType.UINT8 if is_input else trt.DataType.FLOAT
        if dtype != wanted or shape[:1] != (1,) or min(shape) < 1:
            raise BundleError(
                f"{'input' if is_input else 'output'} {name!r} of the engine",
                expected=f"{wanted} of a fixed shape that starts with 1",
                arrived=f"{dtype} {shape}",
                remedy="Export the bundle again, then run: fetalclip-edge build",
            )
        (inputs if is_input else outputs)[name] = (shape, np.uint8 if is_input else np.float32)
    if len(inputs) != 1:
        raise BundleError("engine", expected="one input", arrived=f"{list(inputs)}")
    return {**inputs, **outputs}
