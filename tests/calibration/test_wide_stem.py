"""Several outputs of the first convolution at once: the same numbers bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from calibration.rewrite import rewritten
from calibration.wide_stem import wide_stem
from tests.calibration.small import network, run

HEIGHT, WIDTH = 12, 64


def stem_onnx(
    *,
    kernel: int,
    stride: int,
    pads: tuple[int, int, int, int],
    outputs: int,
    channels: int = 1,
    **attributes: Any,
) -> onnx.ModelProto:
    """A quantized convolution, uint8 (1, channels, 12, 64) -> float maps."""
    generator = np.random.default_rng(0)
    x_scale, w_scale = np.float32(1 / 64), generator.uniform(0.005, 0.02, outputs).astype("f")
    held = {
        "x_scale": x_scale,
        "x_zero": np.uint8(128),
        "w": generator.integers(-127, 128, (outputs, channels, kernel, kernel), np.int8),
        "w_scale": w_scale,
        "w_zero": np.zeros(outputs, np.int8),
        "b": generator.integers(-5000, 5000, outputs, np.int32),
        "b_scale": x_scale * w_scale,
        "b_zero": np.zeros(outputs, np.int32),
        "y_scale": np.float32(0.05),
        "y_zero": np.uint8(7),
    }
    node = onnx.helper.make_node
    nodes = [
        node("DequantizeLinear", ["frame", "x_scale", "x_zero"], ["xd"], "x_dq"),
        node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["wd"], "w_dq", axis=0),
        node("DequantizeLinear", ["b", "b_scale", "b_zero"], ["bd"], "b_dq", axis=0),
        node(
            "Conv",
            ["xd", "wd", "bd"],
            ["c"],
            "conv",
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=pads,
            **attributes,
        ),
        node("QuantizeLinear", ["c", "y_scale", "y_zero"], ["cq"], "c_q"),
        node("DequantizeLinear", ["cq", "y_scale", "y_zero"], ["maps"], "c_dq"),
    ]
    return network(nodes, held, output="maps", size_chw=(channels, HEIGHT, WIDTH))


def with_wide_stem(model: onnx.ModelProto) -> onnx.ModelProto:
    return rewritten(model, [wide_stem()])


def widths(model: onnx.ModelProto) -> list[int]:
    """Returns the output channels of each convolution."""
    makers = {name: node for node in model.graph.node for name in node.output}
    held = {item.name: item for item in model.graph.initializer}
    return [
        held[makers[node.input[1]].input[0]].dims[0]
        for node in model.graph.node
        if node.op_type == "Conv"
    ]


@pytest.mark.parametrize(
    ("kernel", "stride", "pads", "outputs"),
    [
        (4, 2, (1, 1, 1, 1), 16),
        (3, 2, (1, 1, 1, 1), 32),
        (3, 2, (1, 1, 1, 1), 8),
        (8, 4, (2, 2, 2, 2), 32),
        (3, 1, (1, 1, 1, 1), 16),
        (2, 2, (0, 0, 0, 0), 16),
        (5, 2, (2, 2, 2, 2), 16),
        (4, 2, (0, 0, 2, 2), 16),
        (4, 2, (2, 2, 0, 0), 16),
    ],
)
def test_every_output_is_as_before(
    kernel: int, stride: int, pads: tuple[int, int, int, int], outputs: int
) -> None:
    model = stem_onnx(kernel=kernel, stride=stride, pads=pads, outputs=outputs)
    made = with_wide_stem(model)
    onnx.checker.check_model(made, full_check=True)
    assert widths(made) == [64]
    generator = np.random.default_rng(1)
    seen = set()
    for _ in range(4):
        frame = generator.integers(0, 256, (1, HEIGHT, WIDTH), np.uint8)
        (found,), (want,) = (run(each, frame, optimize=True) for each in (made, model))
        np.testing.assert_array_equal(found, want)
        seen |= set(want.ravel().tolist())
    assert len(seen) > 100  # not all at one end of the range


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 2},
        {"outputs": 64},
        {"outputs": 128},  # wider than what is worth a row
        {"outputs": 32, "stride": 1, "pads": (3, 3, 0, 0)},  # begins before the group to the left
        {"dilations": [2, 2], "pads": (2, 2, 2, 2)},
        {"kernel": 3, "dilations": [2, 2], "pads": (2, 2, 2, 2)},
        {"kernel": 2, "auto_pad": "SAME_UPPER", "pads": (0, 0, 0, 0)},
        {"pads": (1, 1, 0, 0)},  # an output fewer than groups have places
        {"kernel": 40, "pads": (19, 19, 19, 19)},  # reaches beyond the next group
        {"outputs": 1},  # one group is wider than the frame
    ],
)
def test_what_does_not_divide_stays(change: dict[str, Any]) -> None:
    usual = {"kernel": 4, "stride": 2, "pads": (1, 1, 1, 1), "outputs": 16}
    model = stem_onnx(**{**usual, **change})
    assert widths(with_wide_stem(model)) == [change.get("outputs", 16)]


def test_weights_of_one_scale_stay() -> None:
    model = stem_onnx(kernel=4, stride=2, pads=(1, 1, 1, 1), outputs=16)
    for item in model.graph.initializer:
        if item.name in ("w_scale", "w_zero"):
            first = onnx.numpy_helper.to_array(item)[0]
            item.CopyFrom(onnx.numpy_helper.from_array(np.asarray(first), item.name))
    assert widths(with_wide_stem(model)) == [16]
