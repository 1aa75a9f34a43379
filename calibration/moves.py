"""Steps of an `int8-ort` file that only move bytes, written so that ONNX Runtime only moves bytes.

The numbers stay the same, bit by bit. Half-width ResNet-18 at 256 px, two cores with VNNI: the
frame's way to the first convolution 0.07 ms before and 0 after, the decoder's three upsamplings
0.18 and 0.03 ms, of 2.2 ms for the whole.
"""

from __future__ import annotations

import numpy as np
import onnx_ir
from onnx_ir import Value
from onnxscript.rewriter.pattern import RewriteRule

from calibration.rewrite import Operators

_GRAY_LEVELS = np.arange(256, dtype=np.float32)
_REPEATS = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}
"""Attributes with which a Resize by whole numbers repeats each value."""


def plain_moves() -> tuple[RewriteRule, ...]:
    """Returns rules by which bytes go their way without arithmetic, for Q/DQ on uint8.

    A frame whose gray levels are INT8's steps is its own quantized form. Nearest-neighbour
    upsampling becomes copies of rows.
    """
    return (
        RewriteRule(_computed_levels, _levels_as_they_are, _are_steps),
        RewriteRule(_resized, _copied, _repeats),
    )


def _computed_levels(
    op: Operators, frame: Value, offset: Value, divisor: Value, scale: Value, zero: Value
) -> Value:
    pixels = op.Div(op.Sub(op.Cast(frame), offset), divisor)
    return op.DequantizeLinear(op.QuantizeLinear(pixels, scale, zero), scale, zero)


def _are_steps(
    _: object, frame: Value, offset: Value, divisor: Value, scale: Value, zero: Value
) -> bool:
    if not frame.dtype == zero.dtype == onnx_ir.DataType.UINT8:
        return False
    by = [value.const_value for value in (offset, divisor, scale, zero)]
    numbers = [tensor.numpy().item() for tensor in by if tensor is not None and tensor.size == 1]
    if len(numbers) < len(by):
        return False
    levels, divided, step, middle = map(np.float32, numbers)
    steps = np.rint((_GRAY_LEVELS - levels) / divided / step) + middle
    return bool((np.clip(steps, 0, 255) == _GRAY_LEVELS).all())


def _levels_as_they_are(
    op: Operators, frame: Value, scale: Value, zero: Value, **_: Value
) -> Value:
    return op.DequantizeLinear(frame, scale, zero)


def _resized(op: Operators, maps: Value, scale: Value, zero: Value, factors: Value) -> Value:
    values = op.DequantizeLinear(maps, scale, zero)
    return op.QuantizeLinear(op.Resize(values, None, factors, _outputs=["larger"]), scale, zero)


def _repeats(_: object, maps: Value, factors: Value, larger: Value, **__: Value) -> bool:
    resize, by = larger.producer(), factors.const_value
    if resize is None or by is None or maps.shape is None or not maps.shape.is_static():
        return False
    if any(resize.attributes.get_string(name) != value for name, value in _REPEATS.items()):
        return False
    whole = by.numpy()
    return len(whole) == 4 and bool((whole[:2] == 1).all() and (whole % 1 == 0).all())


def _copied(op: Operators, maps: Value, factors: Value, **_: Value) -> Value:
    """Repeats pixels of (B, C, H, W) maps by copies of rows, with the channels last.

    So ONNX Runtime keeps quantized maps, and its Resize goes through them value by value. A
    pixel's channels lie side by side there: to repeat a pixel is to concatenate along the
    channels, and to repeat a row is to concatenate rows. The runtime takes both transposes away.
    """
    assert maps.shape is not None  # noqa: S101  (as `_repeats` found)
    assert factors.const_value is not None  # noqa: S101
    batch, channels, height, width = maps.shape.numpy()
    rows, columns = (int(by) for by in factors.const_value.numpy()[2:])
    last = op.Transpose(maps, perm=[0, 2, 3, 1])
    wide = op.Concat(*[last] * columns, axis=3)  # (B, H, W, columns * C)
    line = [batch, height, 1, width * columns * channels]
    lines = op.Reshape(wide, op.Constant(value_ints=line))
    tall = op.Concat(*[lines] * rows, axis=2)  # (B, H, rows, columns * W * C)
    size = [batch, height * rows, width * columns, channels]
    return op.Transpose(op.Reshape(tall, op.Constant(value_ints=size)), perm=[0, 3, 1, 2])
