"""Each rule finds what breaks it, and nothing in a graph that is right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from export.lint import check_lint, lint
from fetalclip_edge.errors import CheckFailedError
from tests.calibration.small import conv_onnx

helper = onnx.helper
Spoil = Callable[[onnx.ModelProto], None]


def good() -> onnx.ModelProto:
    return onnx.load_model_from_string(conv_onnx())


def constant(model: onnx.ModelProto, name: str, values: Any) -> str:
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(values), name))
    return name


def node(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    found: onnx.NodeProto = next(item for item in model.graph.node if item.name == name)
    return found


def put(model: onnx.ModelProto, after: str, *nodes: onnx.NodeProto) -> None:
    place = list(model.graph.node).index(node(model, after)) + 1
    for offset, item in enumerate(nodes):
        model.graph.node.insert(place + offset, item)


def unsupported(model: onnx.ModelProto) -> None:
    put(model, "relu2", helper.make_node("BitwiseNot", ["c2"], ["odd"], "odd"))


def attention(model: onnx.ModelProto) -> None:
    put(model, "relu2", helper.make_node("Attention", ["r2", "r2", "r2"], ["odd"], "odd"))


def contrib(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    put(model, "relu2", helper.make_node("Gelu", ["r2"], ["odd"], "odd", domain="com.microsoft"))


def second_user(model: onnx.ModelProto) -> None:
    put(model, "cast", helper.make_node("Cast", ["frame"], ["odd"], "odd", to=1))


def cast_to_int(model: onnx.ModelProto) -> None:
    node(model, "cast").attribute[0].i = onnx.TensorProto.INT32


def dynamic(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"


def layer_norm_in_parts(model: onnx.ModelProto) -> None:
    axes = constant(model, "ln_axes", np.array([1], np.int64))
    two = constant(model, "two", np.float32(2))
    put(
        model,
        "relu2",
        helper.make_node("ReduceMean", ["r2", axes], ["ln_mean"], "ln_mean"),
        helper.make_node("Sub", ["r2", "ln_mean"], ["ln_sub"], "ln_sub"),
        helper.make_node("Pow", ["ln_sub", two], ["ln_pow"], "ln_pow"),
    )


def unfolded(model: onnx.ModelProto) -> None:
    put(model, "cast", helper.make_node("Abs", ["step"], ["odd"], "odd"))


def cubic(model: onnx.ModelProto) -> None:
    scales = constant(model, "scales", np.array([1, 1, 2, 2], np.float32))
    put(
        model, "relu2", helper.make_node("Resize", ["r2", "", scales], ["odd"], "odd", mode="cubic")
    )


def newer_ir(model: onnx.ModelProto) -> None:
    model.ir_version = 12


def newer_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 21


def half_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16


def test_a_graph_that_is_right_has_no_finding() -> None:
    assert lint(good()) == ()
    check_lint("the graph", good())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (unsupported, "operator BitwiseNot"),
        (attention, "operator Attention"),
        (contrib, r"operator com.microsoft.Gelu"),
        (second_user, "one Cast to float or half, here into Cast, Cast"),
        (cast_to_int, "one Cast to float or half"),
        (dynamic, "a dynamic shape"),
        (layer_norm_in_parts, "LayerNormalization taken apart"),
        (unfolded, "an? Abs of constants that was not folded"),
        (cubic, "Resize with mode cubic"),
        (newer_ir, "IR version 12, at most 10"),
        (newer_opset, "opset 21, at most 20"),
        (half_output, "an output that is not float32"),
    ],
)
def test_each_rule_finds_what_breaks_it(spoil: Spoil, words: str) -> None:
    model = good()
    spoil(model)
    with pytest.raises(CheckFailedError, match=words):
        check_lint("the graph", model)


def test_a_whole_layer_normalization_is_taken() -> None:
    model = good()
    scale = constant(model, "ln_scale", np.ones(64, np.float32))
    put(model, "relu2", helper.make_node("LayerNormalization", ["r2", scale], ["ln"], "ln"))
    assert lint(model) == ()


def quantized(
    *,
    zero: int = 0,
    kind: type = np.int8,
    output: bool = False,
    bias: bool = False,
    weights: bool = True,
    per_channel: bool = True,
) -> onnx.ModelProto:
    """The good graph with conv2 quantized, by the rules or not."""
    model = good()
    one = constant(model, "scale", np.float32(0.1))
    at = constant(model, "zero", np.array(zero, kind))
    conv = node(model, "conv2")
    nodes = [
        helper.make_node("QuantizeLinear", ["r1", one, at], ["q"], "q"),
        helper.make_node("DequantizeLinear", ["q", one, at], ["dq"], "dq"),
    ]
    conv.input[0] = "dq"
    if weights:
        channels = 8 if per_channel else 1
        w = constant(model, "w_int8", np.ones((8, 8, 1, 1), np.int8))
        w_scale = constant(
            model, "w_scale", np.full(channels, 0.1, np.float32).squeeze()
        )  # one number where it is not by channel
        w_zero = constant(model, "w_zero", np.zeros(channels, np.int8).squeeze())
        nodes.append(
            helper.make_node("DequantizeLinear", [w, w_scale, w_zero], ["w_dq"], "w_dq", axis=0)
        )
        conv.input[1] = "w_dq"
    if bias:
        b = constant(model, "b_int8", np.zeros(8, np.int8))
        nodes.append(helper.make_node("DequantizeLinear", [b, one, at], ["b_dq"], "b_dq"))
        conv.input[2] = "b_dq"
    put(model, "relu1", *nodes)
    if output:
        put(
            model,
            "conv2",
            helper.make_node("QuantizeLinear", ["c2", one, at], ["oq"], "oq"),
            helper.make_node("DequantizeLinear", ["oq", one, at], ["odq"], "odq"),
        )
        node(model, "relu2").input[0] = "odq"
    return model


def test_symmetric_signed_pairs_before_a_layer_are_taken() -> None:
    assert lint(quantized()) == ()


def test_an_output_may_be_quantized_where_the_next_layer_reads_it() -> None:
    model = quantized()
    # without the ReLU between them the second convolution reads the first one's output
    node(model, "q").input[0] = "c1"
    assert "relu1" in {item.name for item in model.graph.node}
    assert lint(model) == ()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (quantized(zero=3), "a zero point other than a signed 0"),
        (quantized(kind=np.uint8), "a zero point other than a signed 0"),
        (quantized(output=True), "the output of Conv conv2 is quantized"),
        (quantized(bias=True), "a quantized bias"),
        (quantized(weights=False), "quantized input alone"),
        (quantized(per_channel=False), "weights without one scale a channel"),
    ],
)
def test_each_rule_of_q_and_dq_finds_what_breaks_it(model: onnx.ModelProto, words: str) -> None:
    assert any(words in finding.what for finding in lint(model)), lint(model)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fetalclip_edge", "lint", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_command_names_the_node_and_ends_with_5(tmp_path: Path) -> None:
    bad, fine, none = (tmp_path / name for name in ("bad.onnx", "fine.onnx", "none.onnx"))
    model = good()
    unsupported(model)
    bad.write_bytes(model.SerializeToString())
    fine.write_bytes(conv_onnx())
    done = run(bad, fine)
    assert done.returncode == 5, done.stderr
    assert f"{bad}: odd: operator BitwiseNot is not taken by every parser" in done.stdout
    assert f"{fine}: nothing found" in done.stdout
    none.write_bytes(b"no model")
    done = run(none)
    assert done.returncode == 4, done.stderr
    assert "an ONNX model" in done.stderr
    assert "Traceback" not in done.stderr
