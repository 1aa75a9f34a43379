"""Parts of a graph put in place of others, by onnxscript's rewriter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import onnx
import onnx_ir
from onnx_ir import Value
from onnx_ir.passes.common import RemoveUnusedNodesPass, ShapeInferencePass
from onnxscript.rewriter.pattern import RewriteRule, RewriteRuleSet


class Operators(Protocol):
    """Writes nodes, of a pattern or of a graph: `op.Cast(frame)`."""

    def __getattr__(self, name: str) -> Callable[..., Value]: ...


def rewritten(model: onnx.ModelProto, rules: Sequence[RewriteRule]) -> onnx.ModelProto:
    """Returns a model after all rules, without what nothing reads any more.

    Args:
        model: in topological order, without which shapes would not be inferred; rules may ask
            for every shape that can be.
        rules: each a pattern, what takes its place, and a condition.
    """
    graph = onnx_ir.serde.deserialize_model(model)
    ShapeInferencePass()(graph)
    RewriteRuleSet(rules).apply_to_model(graph)
    RemoveUnusedNodesPass()(graph)
    made = onnx_ir.serde.serialize_model(graph)
    del made.graph.value_info[:]  # a hundredth of a small file, and inferred anew by who reads it
    return made
