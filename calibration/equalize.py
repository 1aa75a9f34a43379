"""Channels of one tensor brought to like ranges before INT8: the same network in other numbers.

INT8 has one scale for all channels of an activation, so that one wide channel costs the others
their digits; depthwise convolutions suffer most. Between two convolutions with nothing but a ReLU
between them a channel may be divided by a positive number if the weights that read it are
multiplied by it: exactly the same outputs (M. Nagel et al., Data-Free Quantization Through Weight
Equalization and Bias Correction, ICCV 2019). How far each channel is divided follows the ranges of
activations and of weights in equal shares, in logarithms (G. Xiao et al., SmoothQuant, ICML 2023);
where each channel has weights of its own it follows the activations alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from calibration.graph import watched_session

_TINY = 1e-12
_LEAST = 2.0**-10
"""No channel is widened more than 1,024 times: what is so small carries nothing."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One tensor whose channels are divided.

    Attributes:
        maker: name of the convolution that makes it.
        readers: names of the convolutions that read it.
        divisors: float64 (C,) in (0, 1], one for each channel; none becomes wider than the widest.
    """

    maker: str
    readers: tuple[str, ...]
    divisors: NDArray[np.float64]


def balances(model: onnx.ModelProto, squares: NDArray[np.uint8]) -> tuple[Balance, ...]:
    """Returns by how much the channels of every tensor that allows it are to be divided.

    Args:
        model: fp32, as `graph.prepared` returns it.
        squares: frames uint8 (N, 1, S, S) over which ranges of activations are taken.
    """
    weights = {item.name: item for item in model.graph.initializer}
    between = _between(model)
    if not between:
        return ()
    reach = _channel_reach(model, [name for name, _, _ in between], squares)
    found = []
    for name, maker, readers in between:
        kernels = [numpy_helper.to_array(weights[reader.input[1]]) for reader in readers]
        divisors = _divisors(reach[name], [_read_reach(k, reach[name].size) for k in kernels])
        found.append(Balance(maker.name, tuple(reader.name for reader in readers), divisors))
    return tuple(found)


def balanced(model: onnx.ModelProto, plan: tuple[Balance, ...]) -> onnx.ModelProto:
    """Returns the model, fp32 or typed fp16, with its channels divided by a plan of its fp32 form.

    Args:
        model: with the names of nodes that the plan was made of.
        plan: see `balances`.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    nodes = {node.name: node for node in made.graph.node}
    weights = {item.name: item for item in made.graph.initializer}

    def scale(name: str, factors: NDArray[np.float64]) -> None:
        values = numpy_helper.to_array(weights[name])
        weights[name].CopyFrom(
            numpy_helper.from_array((values * factors).astype(values.dtype), name)
        )

    for balance in plan:
        maker, divisors = nodes[balance.maker], balance.divisors
        scale(maker.input[1], 1 / divisors[:, None, None, None])
        for name in maker.input[2:3]:
            scale(name, 1 / divisors)
        for reader in (nodes[name] for name in balance.readers):
            depthwise = numpy_helper.to_array(weights[reader.input[1]]).shape[1] == 1
            each = divisors[:, None] if depthwise else divisors[None, :]
            scale(reader.input[1], each[..., None, None])
    return made


def _between(
    model: onnx.ModelProto,
) -> list[tuple[str, onnx.NodeProto, list[onnx.NodeProto]]]:
    """Returns (tensor, convolution that makes it, convolutions that alone read it)."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    uses: dict[str, int] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
            uses[name] = uses.get(name, 0) + 1
    weights = {item.name: tuple(item.dims) for item in model.graph.initializer}
    outputs = {output.name for output in model.graph.output}

    def own(node: onnx.NodeProto) -> bool:
        """Whether a convolution's constants are its own, and its groups are one or all."""
        kernel = weights.get(node.input[1])
        groups = next((item.i for item in node.attribute if item.name == "group"), 1)
        return (
            kernel is not None
            and all(name in weights and uses[name] == 1 for name in node.input[1:])
            and (groups == 1 or (kernel[1] == 1 and groups == kernel[0]))
        )

    found = []
    for node in model.graph.node:
        if node.op_type != "Conv" or not own(node):
            continue
        name = node.output[0]
        after = readers.get(name, [])
        if len(after) == 1 and after[0].op_type == "Relu" and name not in outputs:
            name = after[0].output[0]
            after = readers.get(name, [])
        convolutions = [n for n in after if n.op_type == "Conv" and n.input[0] == name and own(n)]
        if convolutions and len(convolutions) == len(after) and name not in outputs:
            found.append((name, node, convolutions))
    return found


def _channel_reach(
    model: onnx.ModelProto, names: list[str], squares: NDArray[np.uint8]
) -> dict[str, NDArray[np.float64]]:
    """Returns tensor -> float64 (C,), the largest magnitude of each channel."""
    session = watched_session(model, tuple(names))
    reach: dict[str, NDArray[np.float64]] = {}
    for square in squares:
        for name, values in zip(names, session.run(names, {"frame": square[None]}), strict=True):
            largest = np.abs(values[0]).max(axis=(1, 2)).astype(np.float64)
            reach[name] = np.maximum(reach.get(name, 0.0), largest)
    return reach


def _read_reach(kernel: NDArray[np.float32], channels: int) -> NDArray[np.float64] | None:
    """Returns the largest weight that reads each channel, or None where each has its own."""
    if kernel.shape[1] == 1 and kernel.shape[0] == channels:
        return None
    return np.asarray(np.abs(kernel).max(axis=(0, 2, 3)), np.float64)


def _divisors(
    reach: NDArray[np.float64], read: list[NDArray[np.float64] | None]
) -> NDArray[np.float64]:
    """Returns the divisors (C,) of one tensor; 1 for a channel that is never anything but 0."""
    share = reach / max(reach.max(), _TINY)
    wanted = share
    shared = [weights / max(weights.max(), _TINY) for weights in read if weights is not None]
    if shared:
        wanted = np.sqrt(share / np.maximum(np.max(shared, axis=0), _TINY))
    return np.where(reach > 0, np.clip(wanted, np.maximum(share, _LEAST), 1.0), 1.0)
