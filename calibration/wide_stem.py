"""The first convolution of an `int8-ort` file, for several pixels of a row at once.

A frame has one channel, so that ONNX Runtime gathers a kernel's pixels byte by byte and multiplies
rows of sixteen numbers where VNNI takes sixty-four. Here G neighbours of a row are the channels of
one pixel, which with the channels last is how they lie in memory, and the kernel gives several of
its outputs at once; between its own weights stand zeros. The numbers stay the same, bit by bit.
4 x 4 kernels of 16 channels over 256 x 256 pixels, two cores with VNNI: 0.21 ms before, 0.07 after.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir
from numpy.typing import NDArray
from onnx_ir import Value
from onnxscript.rewriter.pattern import RewriteRule

from calibration.rewrite import Operators

_WIDTH = 64
"""Channels that are worth a row of outputs: of 32, 64 and 128 the fastest."""


class _Kernel(NamedTuple):
    """How a convolution goes over a frame's rows."""

    at_once: int
    stride_hw: tuple[int, int]
    pads: tuple[int, int, int, int]  # top, left, bottom, right

    @property
    def group(self) -> int:
        """Pixels of a row that become the channels of one."""
        return self.at_once * self.stride_hw[1]


def wide_stem() -> RewriteRule:
    """Returns the rule by which a quantized convolution over one channel makes several outputs.

    It is for Q/DQ on uint8. Convolutions whose rows do not divide evenly, or whose weights share
    one scale, stay as they are.
    """
    return RewriteRule(_narrow, _wide, _divides)


def _narrow(
    op: Operators,
    x: Value,
    x_scale: Value,
    x_zero: Value,
    w: Value,
    w_scale: Value,
    w_zero: Value,
    b: Value,
    b_scale: Value,
    b_zero: Value,
    y_scale: Value,
    y_zero: Value,
) -> Value:
    maps = op.Conv(
        op.DequantizeLinear(x, x_scale, x_zero),
        op.DequantizeLinear(w, w_scale, w_zero),
        op.DequantizeLinear(b, b_scale, b_zero),
        _outputs=["maps"],
    )
    return op.QuantizeLinear(maps, y_scale, y_zero)


def _divides(_: object, x: Value, w: Value, w_scale: Value, maps: Value, **__: Value) -> bool:
    if x.shape is None or not x.shape.is_static() or w.const_value is None or maps.shape is None:
        return False
    if _numbers(w_scale).shape != _numbers(w).shape[:1]:
        return False
    _, channels, _, width = x.shape.numpy()
    kernel = _kernel(maps, w)
    if channels != 1 or kernel is None or width % kernel.group:
        return False
    before, outputs = kernel.pads[1], maps.shape.numpy()[3]
    end = (kernel.at_once - 1) * kernel.stride_hw[1] - before + _numbers(w).shape[3]
    reaches_neighbours_alone = before <= kernel.group and end <= 2 * kernel.group
    return outputs * kernel.stride_hw[1] == width and reaches_neighbours_alone


def _kernel(maps: Value, w: Value) -> _Kernel | None:
    node = maps.producer()
    if node is None or w.const_value is None:
        return None
    named = node.attributes
    if set(named.get_ints("dilations", [1])) != {1}:
        return None
    if named.get_string("auto_pad", "NOTSET") != "NOTSET":
        return None
    rows, columns = named.get_ints("strides", [1, 1])
    top, left, bottom, right = named.get_ints("pads", [0, 0, 0, 0])
    at_once = _WIDTH // len(_numbers(w))
    return _Kernel(at_once, (rows, columns), (top, left, bottom, right)) if at_once > 1 else None


def _wide(op: Operators, x: Value, w: Value, maps: Value, **held: Value) -> Value:
    kernel = _kernel(maps, w)
    assert kernel is not None  # noqa: S101  (as `_divides` found)
    assert x.shape is not None  # noqa: S101
    assert maps.shape is not None  # noqa: S101
    batch, _, height, width = x.shape.numpy()
    _, channels, rows, columns = maps.shape.numpy()

    def repeated(name: str) -> Value:
        numbers = np.tile(_numbers(held[name]), kernel.at_once)
        return op.initializer(onnx_ir.tensor(numbers), f"{held[name].name}_wide")

    spread = op.initializer(onnx_ir.tensor(_spread(_numbers(w), kernel)), f"{w.name}_wide")
    groups = op.Reshape(
        x, op.Constant(value_ints=[batch, height, width // kernel.group, kernel.group])
    )
    made = op.Conv(
        op.DequantizeLinear(
            op.Transpose(groups, perm=[0, 3, 1, 2]), held["x_scale"], held["x_zero"]
        ),
        op.DequantizeLinear(spread, repeated("w_scale"), repeated("w_zero"), axis=0),
        op.DequantizeLinear(repeated("b"), repeated("b_scale"), repeated("b_zero"), axis=0),
        strides=[kernel.stride_hw[0], 1],
        pads=[kernel.pads[0], 1, kernel.pads[2], 1],
    )
    outputs = op.QuantizeLinear(made, held["y_scale"], held["y_zero"])
    last = op.Transpose(outputs, perm=[0, 2, 3, 1])
    pixels = op.Reshape(last, op.Constant(value_ints=[batch, rows, columns, channels]))
    return op.Transpose(pixels, perm=[0, 3, 1, 2])


def _spread(weights: NDArray[np.int8], kernel: _Kernel) -> NDArray[np.int8]:
    """Returns (P * C, G, rows, 3) for (C, 1, rows, columns): output p is p strides further right.

    The last axis is the group to the left, the pixel's own and the one to the right.
    """
    channels, _, rows, columns = weights.shape
    made = np.zeros((kernel.at_once, channels, rows, 3 * kernel.group), weights.dtype)
    for p in range(kernel.at_once):
        first = kernel.group + p * kernel.stride_hw[1] - kernel.pads[1]
        made[p, :, :, first : first + columns] = weights[:, 0]
    grouped = made.reshape(kernel.at_once * channels, rows, 3, kernel.group)
    return np.ascontiguousarray(grouped.transpose(0, 3, 1, 2))


def _numbers(value: Value) -> NDArray[np.int8]:
    assert value.const_value is not None  # noqa: S101
    held: NDArray[np.int8] = value.const_value.numpy()
    return held
