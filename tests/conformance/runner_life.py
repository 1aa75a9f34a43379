"""The runner's life on a simulated GPU: what it gives, what it holds, what it gives back.

Run with the folder of a bundle that has an engine; prints what was seen, as JSON.
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.conformance.simulated import Machine
from tests.conformance.simulated_tensorrt import Conditions


def main(folder: str) -> None:
    with Machine(Conditions()) as machine:
        seen = {**_life(machine, Path(folder)), "versions": _versions(machine)}
    json.dump({**seen, "faults": machine.gpu.faults}, sys.stdout)


def _life(machine: Machine, folder: Path) -> dict[str, Any]:
    from fetalclip_edge.bundle.load import load_bundle
    from fetalclip_edge.bundle.manifest import Precision
    from fetalclip_edge.errors import ProviderError
    from fetalclip_edge.runners.tensorrt import TensorRtRunner
    from fetalclip_edge.tensorrt.store import find_engine
    from fetalclip_edge.tensorrt.target import read_target

    seen: dict[str, Any] = {}
    runner = TensorRtRunner(find_engine(load_bundle(folder), Precision.FP32, read_target()))
    try:
        runner.new_context()
    except RuntimeError as error:
        seen["before"] = str(error)
    with runner:
        first, second = runner.new_context(), runner.new_context()
        seen["two"] = machine.gpu.left()
        said = first.infer(np.full((1, 1, 64, 64), 144, np.uint8))
        other = second.infer(np.full((1, 1, 64, 64), 96, np.uint8))
        seen["masks"] = [float(found["mask"].max()) for found in (said, other)]
        seen["same_buffers"] = first.infer(np.full((1, 1, 64, 64), 160, np.uint8)) is said
        seen["device_ms"] = first.device_ms
        seen["info"] = runner.info().provider
        del second, other
        gc.collect()
        seen["one"] = machine.gpu.left()
        machine.gpu.mallocs_left = 2
        try:
            runner.new_context()
        except ProviderError as error:
            seen["full"] = str(error)
        gc.collect()
        seen["after_full"] = machine.gpu.left()
    seen["kept"] = float(said["mask"].max())
    try:
        first.infer(np.zeros((1, 1, 64, 64), np.uint8))
    except RuntimeError as error:
        seen["after"] = str(error)
    seen["held"] = machine.gpu.left()
    del first, said
    gc.collect()
    seen["end"] = machine.gpu.left()
    return seen


def _versions(machine: Machine) -> dict[str, str]:
    from fetalclip_edge.errors import EdgeError

    said = {}
    for version in ("9.3.0", "10.2.0", "10.3.0", "10.16.1.11", "11.4.0.106", "12.0.0"):
        sys.modules.pop("fetalclip_edge.tensorrt.package", None)
        machine.tensorrt.module.__dict__["__version__"] = version
        from fetalclip_edge.tensorrt.package import check_version

        try:
            check_version()
        except EdgeError as error:
            said[version] = str(error)
    return said


if __name__ == "__main__":
    main(sys.argv[1])
