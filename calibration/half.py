"""Whether the typed fp16 file of a bundle holds against fp32 on held-out frames.

ONNX Runtime on a CPU computes a typed fp16 graph in fp32, where nothing is rounded and nothing
overflows, so its word alone is no evidence. Here each result that the graph types as fp16 is
rounded to fp16 by arithmetic that no runtime may skip. Sums inside one operator stay in fp32, as
tensor cores keep them; a runtime that fuses operators rounds less often than this.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from calibration.gate import Verdict, judge
from calibration.graph import typed
from calibration.held_out import HeldOut, Outcome
from fetalclip_edge.bundle.acceptance import Acceptance
from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, FileEntry, Precision

RAN_ON = "ONNX Runtime on a CPU, every fp16 result rounded to fp16: not run on TensorRT"

_FLOAT, _HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
_CONSTANTS = {
    # 2^13 + 1 splits the 24 bits of an fp32 significand into the 11 of fp16 and the rest
    # (T. J. Dekker, Numer. Math. 18, 1971)
    "half_split": 8193.0,
    "half_too_large": 65520.0,  # halfway from the largest fp16 to the next that there would be
    "half_overflow": 3e38,  # makes what is so large infinite
}


@dataclass(frozen=True, slots=True)
class HalfCandidate:
    """The fp16 file with what the gate says of it.

    Attributes:
        entry: the file.
        verdict: the gate's on test frames.
    """

    entry: FileEntry
    verdict: Verdict

    def accepted(self, split: str, command: str) -> FileEntry:
        """Returns the entry with its figures; as it was where it does not hold."""
        if not self.verdict.passed:
            return self.entry
        acceptance = Acceptance(
            ran_on=RAN_ON, split=split, figures=self.verdict.accepted(), command=command
        )
        return self.entry.model_copy(update={"acceptance": acceptance})


def judge_half(bundle: Bundle, test: HeldOut, reference: Sequence[Outcome]) -> HalfCandidate | None:
    """Returns what the gate says of a bundle's fp16 file, or None where it has none.

    Args:
        bundle: holds the file.
        test: frames that no training step saw.
        reference: what the fp32 file says of them.
    """
    entry = bundle.manifest.file(Backend.TENSORRT, Precision.FP16)
    if entry is None:
        return None
    graph = rounded(typed((bundle.folder / entry.path).read_bytes()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / entry.path
        path.write_bytes(graph.SerializeToString())
        outcomes = test.outcomes(bundle, path, optimize=False)
    return HalfCandidate(entry, judge(reference, outcomes))


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a typed fp16 model as an fp32 one that rounds each fp16 result to fp16.

    To nearest; from 65,520 on a result is infinite. Below 6.1e-5, where fp16 itself has fewer
    digits, it keeps 11 bits: at most 3e-8 off.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(onnx.shape_inference.infer_shapes(model, strict_mode=True))
    graph = copy.graph
    half = {
        value.name
        for value in (*graph.value_info, *graph.output)
        if value.type.tensor_type.elem_type == _HALF
    }
    nodes = []
    for node in list(graph.node):
        raw = {name: f"{name}_raw" for name in node.output if name in half}
        node.output[:] = [raw.get(name, name) for name in node.output]
        for item in node.attribute:
            if node.op_type == "Cast" and item.name == "to" and item.i == _HALF:
                item.i = _FLOAT
            if item.HasField("t") and item.t.data_type == _HALF:
                item.t.CopyFrom(_float(item.t))
        nodes.append(node)
        for name, before in raw.items():
            nodes += _rounding(before, name)
    initializers = [_float(i) if i.data_type == _HALF else i for i in graph.initializer]
    initializers += [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in _CONSTANTS.items()
    ]
    outputs = [
        helper.make_tensor_value_info(value.name, _FLOAT, None) if value.name in half else value
        for value in graph.output
    ]
    plain = helper.make_graph(nodes, graph.name, graph.input, outputs, initializers)
    made = helper.make_model(plain, opset_imports=copy.opset_import, ir_version=copy.ir_version)
    onnx.checker.check_model(made, full_check=True)
    return made


def _rounding(raw: str, name: str) -> Iterator[onnx.NodeProto]:
    """Yields the nodes that round fp32 `raw` to the fp16 value `name`."""
    steps = (
        ("Mul", (raw, "half_split"), "scaled"),
        ("Sub", (f"{name}_scaled", raw), "low"),
        ("Sub", (f"{name}_scaled", f"{name}_low"), "near"),
        ("Abs", (raw,), "size"),
        ("GreaterOrEqual", (f"{name}_size", "half_too_large"), "over"),
        ("Mul", (raw, "half_overflow"), "infinite"),
    )
    for kind, inputs, output in steps:
        yield helper.make_node(kind, inputs, [f"{name}_{output}"], f"{name}_round_{output}")
    chosen = [f"{name}_over", f"{name}_infinite", f"{name}_near"]
    yield helper.make_node("Where", chosen, [name], f"{name}_round")


def _float(tensor: onnx.TensorProto) -> onnx.TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
