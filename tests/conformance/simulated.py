"""The command line on a simulated cart: the real bindings' names over doubles of their objects.

Run with a JSON list of steps `{"run": [arguments], "on": {conditions}}`; prints a JSON list of
what came of each: exit code, output, what TensorRT was told, and what was left on the GPU.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import sys
from typing import Any

from tests.conformance.simulated_cuda import SimulatedCuda
from tests.conformance.simulated_tensorrt import Conditions, SimulatedTensorRt


class Machine:
    """A cart that code under test takes for a real one inside `with`."""

    def __init__(self, conditions: Conditions) -> None:
        real_cuda = importlib.import_module("cuda.bindings.runtime")
        self.gpu = SimulatedCuda(
            real_cuda,
            gpu_name=conditions.gpu_name,
            compute_capability=conditions.compute_capability,
            can_capture=conditions.can_capture,
        )
        real = importlib.import_module("tensorrt_bindings")
        self.tensorrt = SimulatedTensorRt(real, self.gpu, conditions)
        self._package = importlib.import_module("cuda.bindings")

    def __enter__(self) -> Machine:
        # code that was imported on another machine holds that machine's modules
        for name in [name for name in sys.modules if name.startswith("fetalclip_edge")]:
            del sys.modules[name]
        sys.modules["tensorrt"] = self.tensorrt.module
        self._use_cuda(self.gpu.module)
        return self

    def __exit__(self, *_: object) -> None:
        del sys.modules["tensorrt"]
        self._use_cuda(self.gpu.real)

    def _use_cuda(self, module: Any) -> None:
        sys.modules["cuda.bindings.runtime"] = module
        self._package.runtime = module  # type: ignore[attr-defined]


def run(arguments: list[str], conditions: Conditions) -> dict[str, Any]:
    """Runs one command on a machine of its own."""
    machine = Machine(conditions)
    out, err, code = io.StringIO(), io.StringIO(), 0
    argv, sys.argv = sys.argv, ["fetalclip-edge", *arguments]
    try:
        with machine, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            importlib.import_module("fetalclip_edge.cli.app").main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.argv = argv
    gc.collect()
    return {
        "code": code,
        "out": out.getvalue(),
        "err": err.getvalue(),
        "settings": machine.tensorrt.settings,
        "calls": machine.gpu.calls,
        "faults": machine.gpu.faults,
        "left": machine.gpu.left(),
    }


def main(text: str) -> None:
    steps = json.loads(text)
    results = []
    for step in steps:
        given = dict(step.get("on", {}))
        if "compute_capability" in given:
            given["compute_capability"] = tuple(given["compute_capability"])
        results.append(run(step["run"], Conditions(**given)))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "400")
    main(sys.argv[1])
