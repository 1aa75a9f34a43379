"""fp16 with islands: what overflows stays in fp32, and stays there from node to node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from export import half as half_module
from export.half import confirm_half, to_half
from export.lint import lint
from fetalclip_edge.errors import CheckFailedError
from tests.calibration.small import conv_onnx

helper, kinds = onnx.helper, onnx.TensorProto
HALF = kinds.FLOAT16


def large_onnx() -> bytes:
    """uint8 (1, 1, 4, 4) -> x * 1000 * 1000 / 1000 / 1000: 2.55e8 on the way."""

    def constant(name: str, values: Any) -> Any:
        return onnx.numpy_helper.from_array(np.asarray(values, np.float32), name)

    nodes = [
        helper.make_node("Cast", ["frame"], ["x"], "cast", to=kinds.FLOAT),
        helper.make_node("Mul", ["x", "k"], ["a"], "up1"),
        helper.make_node("Mul", ["a", "k"], ["b"], "up2"),
        helper.make_node("Div", ["b", "k"], ["c"], "down1"),
        helper.make_node("Div", ["c", "k"], ["d"], "down2"),
        helper.make_node("Relu", ["d"], ["out"], "relu"),
    ]
    shape = [1, 1, 4, 4]
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("frame", kinds.UINT8, shape)],
        [helper.make_tensor_value_info("out", kinds.FLOAT, shape)],
        [constant("k", 1000.0)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(1, 256, (3, 1, 4, 4)).astype(np.uint8)


def test_what_overflows_is_kept_in_fp32(frames: NDArray[np.uint8]) -> None:
    made = to_half(large_onnx(), frames, "none")
    assert set(made.islands) == {"up1", "up2", "down1", "down2"}
    assert made.largest > 1e7
    confirm_half(made.model, frames)
    graph = onnx.load_model_from_string(made.model)
    (got,) = ReferenceEvaluator(graph).run(None, {"frame": frames[:1]})
    np.testing.assert_allclose(np.asarray(got), frames[:1].astype(np.float32), rtol=1e-3)
    # no detour through fp16 inside the island
    makers = {name: node.op_type for node in graph.graph.node for name in node.output}
    inner = next(node for node in graph.graph.node if node.name == "down1")
    assert makers[inner.input[0]] == "Mul"


def test_without_islands_the_reference_evaluator_sees_the_overflow(
    frames: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(half_module, "MAX_MAGNITUDE", 1e30)
    made = to_half(large_onnx(), frames, "none")
    assert made.islands == ()
    with pytest.raises(CheckFailedError, match="finite float32"):
        confirm_half(made.model, frames)


def test_weights_are_half_the_norm_is_not_and_the_interface_stays() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 1, 64, 64)).astype(np.uint8)
    made = to_half(conv_onnx(), frames)
    assert made.islands == ("norm", "normalize")
    graph = onnx.load_model_from_string(made.model)
    assert lint(graph) == ()
    assert graph.opset_import[0].version == 18
    assert graph.ir_version <= 10
    assert graph.graph.input[0].type.tensor_type.elem_type == kinds.UINT8
    assert [o.type.tensor_type.elem_type for o in graph.graph.output] == [kinds.FLOAT] * 3
    held = {item.name: item.data_type for item in graph.graph.initializer}
    assert {held[name] for name in ("w1", "b1", "w2", "w3", "we", "wp")} == {HALF}
    # the norm divides fp32 by fp32 and its result is the output itself
    last = next(node for node in graph.graph.node if node.name == "normalize")
    assert list(last.output) == ["embedding"]
    makers = {name: node for node in graph.graph.node for name in node.output}
    assert makers[last.input[1]].op_type == "ReduceL2"
    assert to_half(conv_onnx(), frames).model == made.model
