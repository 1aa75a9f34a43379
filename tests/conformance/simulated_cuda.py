"""A double of `cuda.bindings.runtime` over host memory, held to the real module's signatures.

Work is queued and only done when a stream is synchronized; memory that is freed twice, copied
past its end, or never given back is counted as a fault.
"""

# ruff: noqa: N802 (the functions have CUDA's own names)

from __future__ import annotations

import ctypes
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Work = Callable[[], None]


@dataclass
class Queue:
    """A stream."""

    waiting: list[Work] = field(default_factory=list)
    captured: list[Work] | None = None
    spoiled: bool = False


class SimulatedCuda:
    """The state of one GPU, and the module that code under test finds.

    Args:
        real: the real `cuda.bindings.runtime`.
        gpu_name: name of the GPU.
        compute_capability: its (major, minor).
        can_capture: whether the work of an engine may be captured in a graph.
    """

    def __init__(
        self, real: Any, *, gpu_name: str, compute_capability: tuple[int, int], can_capture: bool
    ) -> None:
        self.real = real
        self.gpu_name, self.compute_capability = gpu_name, compute_capability
        self.can_capture = can_capture
        self.memory: dict[int, tuple[str, Any]] = {}
        self.queues: dict[int, Queue] = {}
        self.objects: dict[str, set[int]] = {"event": set(), "graph": set(), "exec": set()}
        self.graphs: dict[int, list[Work]] = {}
        self.times_ms: dict[int, float] = {}
        self.faults: list[str] = []
        self.calls: dict[str, int] = {}
        self.mallocs_left: int | None = None
        self._clock_ms = 0.0
        self._next = 1
        self.module = _module(self)

    # -- memory

    def cudaMalloc(self, size: int) -> Any:
        if self.mallocs_left is not None:
            if self.mallocs_left == 0:
                return (*self.no("cudaErrorMemoryAllocation"), 0)
            self.mallocs_left -= 1
        return self.ok(self._allocate("device", size))

    def cudaFree(self, address: int) -> Any:
        return self._free("device", address)

    def cudaHostAlloc(self, size: int, flags: int) -> Any:
        return self.ok(self._allocate("host", size))

    def cudaFreeHost(self, address: int) -> Any:
        return self._free("host", address)

    def _allocate(self, kind: str, size: int) -> int:
        buffer = (ctypes.c_uint8 * size)()
        ctypes.memset(buffer, 0xAB, size)  # fresh memory is not zero
        address = ctypes.addressof(buffer)
        self.memory[address] = (kind, buffer)
        return address

    def _free(self, kind: str, address: int) -> Any:
        found = self.memory.pop(address, None)
        if found is None or found[0] != kind:
            self.faults.append(f"freed {kind} memory that is not allocated")
            return self.no("cudaErrorInvalidValue")
        return self.ok()

    def holds(self, kind: str, address: int, size: int) -> bool:
        """Whether this is the start of an allocation of at least this size."""
        found = self.memory.get(address)
        fits = found is not None and found[0] == kind and ctypes.sizeof(found[1]) >= size
        if not fits:
            self.faults.append(f"{size} bytes of {kind} memory were used that are not there")
        return fits

    def cudaMemcpyAsync(self, dst: int, src: int, count: int, kind: Any, stream: Any) -> Any:
        kinds = self.real.cudaMemcpyKind
        sides = {
            kinds.cudaMemcpyHostToDevice: ("device", "host"),
            kinds.cudaMemcpyDeviceToHost: ("host", "device"),
        }[kind]
        if not (self.holds(sides[0], dst, count) and self.holds(sides[1], src, count)):
            return self.no("cudaErrorInvalidValue")
        self.enqueue(int(stream), lambda: _copy(dst, src, count))
        return self.ok()

    # -- streams, events, graphs

    def cudaStreamCreateWithFlags(self, flags: int) -> Any:
        handle = self._handle()
        self.queues[handle] = Queue()
        return self.ok(self.real.cudaStream_t(handle))

    def cudaStreamDestroy(self, stream: Any) -> Any:
        if self.queues.pop(int(stream), None) is None:
            self.faults.append("destroyed a stream that is not there")
        return self.ok()

    def cudaStreamSynchronize(self, stream: Any) -> Any:
        queue = self.queues[int(stream)]
        if queue.captured is not None:
            queue.spoiled = True
            return self.no("cudaErrorStreamCaptureUnsupported")
        waiting, queue.waiting = queue.waiting, []
        for work in waiting:
            work()
        return self.ok()

    def enqueue(self, stream: int, work: Work) -> None:
        """Queues work, or captures it."""
        queue = self.queues[stream]
        (queue.waiting if queue.captured is None else queue.captured).append(work)

    def cudaEventCreate(self) -> Any:
        handle = self._handle()
        self.objects["event"].add(handle)
        return self.ok(self.real.cudaEvent_t(handle))

    def cudaEventDestroy(self, event: Any) -> Any:
        return self._drop("event", event)

    def cudaEventRecord(self, event: Any, stream: Any) -> Any:
        handle = int(event)

        def record() -> None:
            self._clock_ms += 0.25
            self.times_ms[handle] = self._clock_ms

        self.enqueue(int(stream), record)
        return self.ok()

    def cudaEventElapsedTime(self, start: Any, end: Any) -> Any:
        if int(start) not in self.times_ms or int(end) not in self.times_ms:
            return self.no("cudaErrorNotReady"), None
        return self.ok(self.times_ms[int(end)] - self.times_ms[int(start)])

    def cudaStreamBeginCapture(self, stream: Any, mode: Any) -> Any:
        queue = self.queues[int(stream)]
        if queue.captured is not None or queue.waiting:
            self.faults.append("capture began on a stream that was not idle")
        queue.captured, queue.spoiled = [], False
        return self.ok()

    def cudaStreamEndCapture(self, stream: Any) -> Any:
        queue = self.queues[int(stream)]
        captured, queue.captured = queue.captured, None
        if queue.spoiled or captured is None:
            return (*self.no("cudaErrorStreamCaptureInvalidated"), None)
        handle = self._handle()
        self.objects["graph"].add(handle)
        self.graphs[handle] = captured
        return self.ok(self.real.cudaGraph_t(handle))

    def cudaGraphInstantiate(self, graph: Any, flags: int) -> Any:
        handle = self._handle()
        self.objects["exec"].add(handle)
        self.graphs[handle] = self.graphs[int(graph)]
        return self.ok(self.real.cudaGraphExec_t(handle))

    def cudaGraphDestroy(self, graph: Any) -> Any:
        return self._drop("graph", graph)

    def cudaGraphExecDestroy(self, graph: Any) -> Any:
        return self._drop("exec", graph)

    def cudaGraphLaunch(self, graph: Any, stream: Any) -> Any:
        if int(graph) not in self.objects["exec"]:
            self.faults.append("launched a graph that is not there")
        for work in self.graphs[int(graph)]:
            self.enqueue(int(stream), work)
        return self.ok()

    # -- the device

    def cudaGetDeviceProperties(self, device: int) -> Any:
        if not self.gpu_name:
            return (*self.no("cudaErrorNoDevice"), None)
        major, minor = self.compute_capability
        name = self.gpu_name.encode() + b"\0"
        return self.ok(types.SimpleNamespace(name=name, major=major, minor=minor))

    def cudaRuntimeGetVersion(self) -> Any:
        return self.ok(12060)

    def cudaGetErrorString(self, error: Any) -> Any:
        return self.ok(b"simulated fault")

    def cudaGetLastError(self) -> Any:
        return self.ok()

    # -- helpers

    def left(self) -> dict[str, int]:
        """Returns what is still held, by kind."""
        kinds = [kind for kind, _ in self.memory.values()]
        held = {kind: kinds.count(kind) for kind in ("device", "host")}
        held |= {kind: len(found) for kind, found in self.objects.items()}
        return {**held, "stream": len(self.queues)}

    def ok(self, *values: Any) -> Any:
        return (self.real.cudaError_t.cudaSuccess, *values)

    def no(self, name: str) -> Any:
        return (getattr(self.real.cudaError_t, name),)

    def _handle(self) -> int:
        self._next += 1
        return self._next

    def _drop(self, kind: str, handle: Any) -> Any:
        if int(handle) not in self.objects[kind]:
            self.faults.append(f"released a {kind} that is not there")
        self.objects[kind].discard(int(handle))
        return self.ok()


def _copy(target: int, source: int, size: int) -> None:
    ctypes.memmove(target, source, size)


def _module(gpu: SimulatedCuda) -> types.ModuleType:
    """Returns a module with the real enums and types, and functions of the real signatures."""

    class Double(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            found = getattr(gpu.real, name)  # a name that the real module lacks is an error
            if inspect.isclass(found) or not callable(found):
                return found
            behaviour = getattr(gpu, name, None)
            if behaviour is None:
                raise NotImplementedError(f"the double has no behaviour for {name}")

            def call(*args: Any, **kwargs: Any) -> Any:
                inspect.signature(found).bind(*args, **kwargs)
                gpu.calls[name] = gpu.calls.get(name, 0) + 1
                return behaviour(*args, **kwargs)

            return call

    return Double("cuda.bindings.runtime")
