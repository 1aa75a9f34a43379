"""Device and pinned memory, streams, events and graphs of CUDA, each with one owner.

The one module that calls `cuda.bindings.runtime`. A call returns a status and its values; a
status that is no success becomes a `ProviderError`. Releasing never raises: after a fault of the
device every call fails, and the first fault is the one to be told.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fetalclip_edge.errors import EnvironmentFault, MissingPackageError, ProviderError

try:
    from cuda.bindings import runtime as cudart
except ImportError as error:
    raise MissingPackageError(
        "CUDA for Python",
        expected="the package cuda-python",
        arrived=str(error),
        remedy="Run: pip install 'fetalclip-edge[jetson6]' for CUDA 12, or [cu13] for CUDA 13",
    ) from None

DEVICE = 0


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """The GPU in use.

    Attributes:
        name: as the driver says it.
        compute_capability: such as "8.7".
        cuda: version of the CUDA runtime, such as "12.6".
    """

    name: str
    compute_capability: str
    cuda: str


def device_info() -> DeviceInfo:
    """Returns what the first GPU is.

    Raises:
        EnvironmentFault: there is no GPU or no driver.
    """
    try:
        status, properties = cudart.cudaGetDeviceProperties(DEVICE)
        arrived = None if status == cudart.cudaError_t.cudaSuccess else _said(status)
    except RuntimeError as error:
        # cuda-python 12 raises where there is no libcuda; 13 returns a status
        arrived = " ".join(str(error).split())
    if arrived is not None:
        raise EnvironmentFault(
            "GPU",
            expected="an NVIDIA GPU with its driver",
            arrived=arrived,
            remedy="Install the driver, or use --backend onnxruntime",
        )
    version = _value(cudart.cudaRuntimeGetVersion())
    name = properties.name.split(b"\0")[0].decode("utf-8", "replace")
    capability = f"{properties.major}.{properties.minor}"
    return DeviceInfo(name, capability, f"{version // 1000}.{version % 1000 // 10}")


class DeviceBuffer:
    """Memory of the GPU."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.address = int(_value(cudart.cudaMalloc(size_bytes)))

    def close(self) -> None:
        """Gives the memory back."""
        if self.address:
            cudart.cudaFree(self.address)
            self.address = 0


class PinnedArray:
    """An array in page-locked memory of the host, which the GPU copies without waiting.

    The memory goes with the last array over it, so that no array is ever left without.

    Attributes:
        values: the array.
    """

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self.size_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self.address = int(_value(cudart.cudaHostAlloc(self.size_bytes, 0)))
        memory = (ctypes.c_uint8 * self.size_bytes).from_address(self.address)
        freed = weakref.finalize(memory, cudart.cudaFreeHost, self.address)
        freed.atexit = False  # CUDA may be gone by then, and takes all with it
        self.values: NDArray[Any] = np.ctypeslib.as_array(memory).view(dtype).reshape(shape)
        self.values[:] = 0


class Stream:
    """A queue of work on the GPU that does not wait for other queues."""

    def __init__(self) -> None:
        self._handle = _value(cudart.cudaStreamCreateWithFlags(cudart.cudaStreamNonBlocking))

    @property
    def handle(self) -> Any:  # noqa: ANN401 (cuda-python ships no types)
        """CUDA's own handle; `int` of it is what TensorRT takes."""
        return self._handle

    def copy_in(self, source: PinnedArray, target: DeviceBuffer) -> None:
        """Queues a copy from the host to the GPU."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        _value(
            cudart.cudaMemcpyAsync(
                target.address, source.address, source.size_bytes, kind, self._handle
            )
        )

    def copy_out(self, source: DeviceBuffer, target: PinnedArray) -> None:
        """Queues a copy from the GPU to the host."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _value(
            cudart.cudaMemcpyAsync(
                target.address, source.address, target.size_bytes, kind, self._handle
            )
        )

    def synchronize(self) -> None:
        """Waits until all that was queued is done."""
        _value(cudart.cudaStreamSynchronize(self._handle))

    def close(self) -> None:
        """Releases the queue."""
        if self._handle is not None:
            cudart.cudaStreamDestroy(self._handle)
            self._handle = None


class Stopwatch:
    """Two events on a stream: what lies between them is time on the device alone."""

    def __init__(self) -> None:
        self._start = _value(cudart.cudaEventCreate())
        self._stop = _value(cudart.cudaEventCreate())

    def start(self, stream: Stream) -> None:
        """Queues the first event."""
        _value(cudart.cudaEventRecord(self._start, stream.handle))

    def stop(self, stream: Stream) -> None:
        """Queues the second event."""
        _value(cudart.cudaEventRecord(self._stop, stream.handle))

    def elapsed_ms(self) -> float:
        """Returns the time between the events; the stream must have been synchronized."""
        return float(_value(cudart.cudaEventElapsedTime(self._start, self._stop)))

    def close(self) -> None:
        """Releases the events."""
        for event in (self._start, self._stop):
            if event is not None:
                cudart.cudaEventDestroy(event)
        self._start = self._stop = None


class Graph:
    """Work that was captured from a stream once and is launched as one.

    Args:
        stream: an idle stream.
        work: queues on it what is captured.

    Raises:
        ProviderError: the work cannot be captured; the stream is as it was before.
    """

    def __init__(self, stream: Stream, work: Callable[[], None]) -> None:
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _value(cudart.cudaStreamBeginCapture(stream.handle, mode))
        try:
            work()
        except BaseException:
            # a stream that is left capturing can never be used again
            cudart.cudaStreamEndCapture(stream.handle)
            cudart.cudaGetLastError()
            raise
        status, graph = cudart.cudaStreamEndCapture(stream.handle)
        if status != cudart.cudaError_t.cudaSuccess:
            cudart.cudaGetLastError()  # else the next call would report this fault as its own
            raise _fault(status)
        try:
            self._handle = _value(cudart.cudaGraphInstantiate(graph, 0))
        finally:
            cudart.cudaGraphDestroy(graph)

    def launch(self, stream: Stream) -> None:
        """Queues all of it."""
        _value(cudart.cudaGraphLaunch(self._handle, stream.handle))

    def close(self) -> None:
        """Releases the graph."""
        if self._handle is not None:
            cudart.cudaGraphExecDestroy(self._handle)
            self._handle = None


def _value(result: tuple[Any, ...]) -> Any:  # noqa: ANN401 (cuda-python ships no types)
    """Returns the value that a call gave beside its status, None where it gave none."""
    if result[0] != cudart.cudaError_t.cudaSuccess:
        raise _fault(result[0])
    return result[1] if len(result) > 1 else None


def _fault(status: Any) -> ProviderError:  # noqa: ANN401
    return ProviderError(
        "CUDA",
        expected="success",
        arrived=_said(status),
        remedy="Check the driver and the free memory of the GPU",
    )


def _said(status: Any) -> str:  # noqa: ANN401
    text: bytes = cudart.cudaGetErrorString(status)[1]
    return f"{text.decode('utf-8', 'replace')} ({status.name})"
