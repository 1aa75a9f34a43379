"""Biases that make up for what rounding the weights does to the mean of each output channel.

A kernel's nine rounding errors rarely sum to zero, and where the input is constant, as in the black
around a sector, the sum acts as a bias: in one student the first layer's alone moved HC by 0.34 mm.
The expected error is (W - rounded W) E[x], which is added to the bias (M. Nagel et al., Data-Free
Quantization Through Weight Equalization and Bias Correction, ICCV 2019; here with means seen on the
calibration set).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def with_corrected_biases(
    model: onnx.ModelProto,
    means: Mapping[str, NDArray[np.float64]],
    quantized: Collection[str],
    steps: int,
) -> onnx.ModelProto:
    """Returns a copy of the model with the biases for weights that are going to be rounded.

    Args:
        model: fp32 or typed fp16, with floating weights.
        means: tensor -> mean of each channel (C,) over the calibration set.
        quantized: names of the convolutions whose weights are rounded; others keep their bias.
        steps: what the largest weight of a channel becomes, such as 127.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    weights = {item.name: item for item in made.graph.initializer}
    for node in made.graph.node:
        if node.op_type != "Conv" or node.name not in quantized or len(node.input) < 3:
            continue
        if node.input[0] not in means or not {*node.input[1:3]} <= weights.keys():
            continue
        kernel = numpy_helper.to_array(weights[node.input[1]]).astype(np.float64)
        bias = numpy_helper.to_array(weights[node.input[2]])
        lost = (kernel - _rounded_kernel(kernel, steps)).sum(axis=(2, 3))  # (O, I / groups)
        mean = means[node.input[0]]
        groups = mean.size // lost.shape[1]
        each = mean.reshape(groups, 1, lost.shape[1])
        moved = (lost.reshape(groups, -1, lost.shape[1]) * each).sum(axis=2).reshape(-1)
        node.input[2] = f"{node.input[2]}_of_{node.name}"  # another layer may read the old one
        made.graph.initializer.append(
            numpy_helper.from_array((bias + moved).astype(bias.dtype), node.input[2])
        )
    return made


def _rounded_kernel(kernel: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Returns a kernel (O, I, H, W) as symmetric INT8 with one scale a channel rounds it."""
    scale = np.abs(kernel).max(axis=(1, 2, 3), keepdims=True) / steps
    scale = np.where(scale > 0, scale, 1.0)
    return np.asarray(np.rint(kernel / scale) * scale)
