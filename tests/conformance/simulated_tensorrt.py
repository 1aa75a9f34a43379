"""A TensorRT of doubles: it parses, builds, refuses and runs as the real one is known to.

What an engine computes is computed by ONNX Runtime, so that numbers can be compared.
"""

from __future__ import annotations

import ctypes
import json
import signal
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime

from tests.conformance.doubles import Doubles
from tests.conformance.simulated_cuda import SimulatedCuda

KNOWN = {"Cast", "Sub", "Div", "ReduceMean", "Mul", "Add"}
_MAGIC = b"PLAN"


@dataclass(frozen=True)
class Conditions:
    """What happens on the simulated machine.

    Attributes:
        gpu_name: name of the GPU; empty is none.
        compute_capability: its (major, minor).
        can_capture: whether an engine's work can be captured in a CUDA graph.
        build_seconds: how long a build takes.
        plan_bytes: by how much an engine is larger than its model.
        step_signal: a signal that the process sends itself in the middle of a build, 0 is none.
        error: added to every output, for an engine that computes wrongly.
    """

    gpu_name: str = "Simulated Orin"
    compute_capability: tuple[int, int] = (8, 7)
    can_capture: bool = True
    build_seconds: float = 0.0
    plan_bytes: int = 0
    step_signal: int = 0
    error: float = 0.0


class SimulatedTensorRt:
    """The module that code under test finds as `tensorrt`.

    Args:
        real: the real bindings, over libraries that do nothing.
        gpu: the GPU that engines run on.
        conditions: what happens.
    """

    def __init__(self, real: Any, gpu: SimulatedCuda, conditions: Conditions) -> None:
        self.real, self.gpu, self.conditions = real, gpu, conditions
        self.settings: dict[str, Any] = {}
        self._doubles = Doubles(real)
        self.double, self.state = self._doubles.double, self._doubles.state
        self.module = types.ModuleType("tensorrt")
        self.module.__dict__.update(
            {name: getattr(real, name) for name in dir(real) if not name.startswith("__")},
            __version__=real.__version__,
            Builder=self._constructor(real.Builder, self._builder),
            OnnxParser=self._constructor(real.OnnxParser, self._parser),
            Runtime=self._constructor(real.Runtime, self._runtime),
        )

    def _constructor(self, cls: Any, make: Callable[..., Any]) -> Callable[..., Any]:
        return self._doubles.checked(cls, "__init__", make)

    # -- building

    def _builder(self, logger: Any) -> Any:
        def build(network: Any, config: Any) -> bytes | None:
            self.settings["progress"] = self._progress(config.progress_monitor)
            if self.settings["progress"] == "stopped":
                return None
            return self._plan(self.state(network)["onnx"])

        return self.double(
            self.real.Builder,
            {
                "create_network": self._network,
                "create_builder_config": self._config,
                "build_serialized_network": build,
            },
        )

    def _network(self, flags: int) -> Any:
        typed = 1 << int(self.real.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        self.settings["strongly_typed"] = flags == typed
        network = self.double(
            self.real.INetworkDefinition,
            {
                "get_input": lambda index: self._tensor(
                    self.state(network)["onnx"], "input", index
                ),
                "get_output": lambda index: self._tensor(
                    self.state(network)["onnx"], "output", index
                ),
            },
        )
        return network

    def _tensor(self, model: bytes, side: str, index: int) -> Any:
        value = getattr(onnx.load_from_string(model).graph, side)[index].type.tensor_type
        shape = [dim.dim_value or -1 for dim in value.shape.dim]
        return self.double(
            self.real.ITensor, {}, shape=self.real.Dims(shape), dtype=self._dtype(value.elem_type)
        )

    def _dtype(self, kind: int) -> Any:
        name = {int(onnx.TensorProto.UINT8): "UINT8", int(onnx.TensorProto.FLOAT): "FLOAT"}
        return getattr(self.real.DataType, name.get(kind, "HALF"))

    def _parser(self, network: Any, logger: Any) -> Any:
        errors: list[Any] = []

        def parse(model: bytes) -> bool:
            try:
                graph = onnx.load_from_string(model).graph
            except Exception:
                logger.log(self.real.ILogger.Severity.ERROR, "ModelImporter.cpp: no ONNX")
                return False
            errors.extend(self._parser_error(n) for n in graph.node if n.op_type not in KNOWN)
            self.state(parser)["num_errors"] = len(errors)
            self.state(network).update(
                onnx=model, num_inputs=len(graph.input), num_outputs=len(graph.output)
            )
            return not errors

        parser = self.double(
            self.real.OnnxParser,
            {"parse": parse, "get_error": lambda index: errors[index]},
            num_errors=0,
        )
        return parser

    def _parser_error(self, node: Any) -> Any:
        return self.double(
            self.real.ParserError,
            {
                "desc": lambda: f"No importer registered for op: {node.op_type}.",
                "node_name": lambda: node.name,
                "node_operator": lambda: node.op_type,
            },
        )

    def _config(self) -> Any:
        settings = self.settings
        settings.update(flags_set=[], flags_cleared=[], timing_caches=[])

        def use_cache(cache: Any, ignore_mismatch: bool) -> bool:
            data: bytes = self.state(cache)["data"]
            settings["timing_caches"].append(data.decode())
            return data in (b"", self._timing())

        return self.double(
            self.real.IBuilderConfig,
            {
                "set_memory_pool_limit": lambda pool, size: settings.update({pool.name: size}),
                "clear_flag": lambda flag: settings["flags_cleared"].append(flag.name),
                "set_flag": lambda flag: settings["flags_set"].append(flag.name),
                "create_timing_cache": self._timing_cache,
                "set_timing_cache": use_cache,
                "get_timing_cache": lambda: self._timing_cache(self._timing()),
            },
        )

    def _timing(self) -> bytes:
        return f"timing {self.real.__version__}".encode()

    def _timing_cache(self, data: bytes) -> Any:
        return self.double(self.real.ITimingCache, {"serialize": lambda: data}, data=data)

    def _progress(self, monitor: Any) -> str:
        """Calls the monitor as the builder does: nested phases, steps from 0."""
        monitor.phase_start("Building Engine", None, 2)
        for step in range(2):
            monitor.phase_start("Tactic Timing", "Building Engine", 3)
            time.sleep(self.conditions.build_seconds / 2)
            if self.conditions.step_signal:
                signal.raise_signal(self.conditions.step_signal)
            if not all(monitor.step_complete("Tactic Timing", inner) for inner in range(3)):
                return "stopped"
            monitor.phase_finish("Tactic Timing")
            if not monitor.step_complete("Building Engine", step):
                return "stopped"
        monitor.phase_finish("Building Engine")
        return "finished"

    # -- running

    def _facts(self) -> dict[str, str]:
        major, minor = self.gpu.compute_capability
        return {"version": self.real.__version__, "sm": f"{major}.{minor}"}

    def _plan(self, model: bytes) -> bytes:
        # no two builds give the same engine, as with the real builder
        facts = {
            **self._facts(),
            "built": time.time_ns(),
            "padding": "0" * self.conditions.plan_bytes,
        }
        head = json.dumps(facts).encode()
        return _MAGIC + len(head).to_bytes(4, "little") + head + model

    def _runtime(self, logger: Any) -> Any:
        def deserialize(data: bytes) -> Any:
            length = int.from_bytes(data[4:8], "little")
            head, model = json.loads(data[8 : 8 + length]), data[8 + length :]
            for fact, here in self._facts().items():
                if head[fact] != here:
                    logger.log(
                        self.real.ILogger.Severity.ERROR,
                        f"Engine plan expecting {fact} {head[fact]} got {here}, please rebuild.",
                    )
                    return None
            return self._engine(model)

        return self.double(self.real.Runtime, {"deserialize_cuda_engine": deserialize})

    def _engine(self, model: bytes) -> Any:
        graph = onnx.load_from_string(model).graph
        ends = {v.name: ("INPUT", v) for v in graph.input}
        ends |= {v.name: ("OUTPUT", v) for v in graph.output}

        def shape(name: str) -> list[int]:
            return [dim.dim_value for dim in ends[name][1].type.tensor_type.shape.dim]

        return self.double(
            self.real.ICudaEngine,
            {
                "get_tensor_name": lambda index: list(ends)[index],
                "get_tensor_mode": lambda n: getattr(self.real.TensorIOMode, ends[n][0]),
                "get_tensor_shape": lambda name: self.real.Dims(shape(name)),
                "get_tensor_dtype": lambda n: self._dtype(ends[n][1].type.tensor_type.elem_type),
                "create_execution_context": lambda *_: self._context(model, shape, ends),
            },
            num_io_tensors=len(ends),
        )

    def _context(self, model: bytes, shape: Any, ends: dict[str, Any]) -> Any:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        addresses: dict[str, int] = {}

        def set_address(name: str, address: int) -> bool:
            item = 1 if ends[name][0] == "INPUT" else 4
            addresses[name] = address
            return self.gpu.holds("device", address, int(np.prod(shape(name))) * item)

        def compute() -> None:
            arrays = {
                name: _array(address, shape(name), np.uint8 if mode == "INPUT" else np.float32)
                for (name, address), (mode, _) in zip(addresses.items(), ends.values(), strict=True)
            }
            inputs = {n: a for n, a in arrays.items() if ends[n][0] == "INPUT"}
            names = [name for name in arrays if name not in inputs]
            for name, value in zip(names, session.run(names, inputs), strict=True):
                arrays[name][:] = value + self.conditions.error

        def execute(stream: int) -> bool:
            if set(addresses) != set(ends):
                raise AssertionError(f"no address for {set(ends) - set(addresses)}")
            queue = self.gpu.queues[stream]
            queue.spoiled = queue.captured is not None and not self.conditions.can_capture
            self.gpu.enqueue(stream, compute)
            return True

        return self.double(
            self.real.IExecutionContext,
            {"set_tensor_address": set_address, "execute_async_v3": execute},
        )


def _array(address: int, shape: list[int], dtype: Any) -> Any:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = (ctypes.c_uint8 * size).from_address(address)
    return np.frombuffer(memory, dtype).reshape(shape)
