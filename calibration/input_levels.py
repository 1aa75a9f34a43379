"""Gray levels on INT8's grid, so that the first convolution reads them without rounding.

A network that takes (frame - 127.5) / 64 puts every gray level halfway between two steps of INT8:
to even, pairs of levels become one, and the finest contrast is lost before the first layer. With
128 in place of 127.5 each level is a step. What that shifts the input by goes into the bias of the
convolution that reads it; only at the frame's edge, which is padded with zeros, is anything off,
by half a gray level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

_LEVELS = 256


@dataclass(frozen=True, slots=True)
class InputLevels:
    """How gray levels come to the first convolution, as (level - offset) / divisor.

    Attributes:
        tensor: what the convolution reads.
        subtraction: node that takes `offset` away.
        convolution: node that reads the tensor, and alone does.
        offset: as the file has it.
        divisor: as the file has it.
    """

    tensor: str
    subtraction: str
    convolution: str
    offset: float
    divisor: float

    @property
    def middle(self) -> int:
        """The gray level that becomes 0."""
        return math.ceil(self.offset)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value of the tensor once it is aligned; one step is one level."""
        return -self.middle / self.divisor, (_LEVELS - 1 - self.middle) / self.divisor


def input_levels(model: onnx.ModelProto) -> InputLevels | None:
    """Returns how a model reads gray levels, or None where it is not frame -> Sub -> Div -> Conv.

    Args:
        model: with constants as initializers, fp32 or typed fp16.
    """
    weights = {item.name: item for item in model.graph.initializer}
    name, found = "frame", []
    for kind in ("Cast", "Sub", "Div", "Conv"):
        after = [node for node in model.graph.node if name in node.input]
        if len(after) != 1 or after[0].op_type != kind or after[0].input[0] != name:
            return None
        found.append(after[0])
        name = after[0].output[0]
    _, subtraction, division, convolution = found
    if any(item not in weights for item in (*subtraction.input[1:], *division.input[1:])):
        return None
    if len(convolution.input) != 3 or any(item not in weights for item in convolution.input[1:]):
        return None
    offset, divisor = (
        numpy_helper.to_array(weights[node.input[1]]) for node in (subtraction, division)
    )
    if offset.size != 1 or divisor.size != 1:
        return None
    return InputLevels(
        division.output[0],
        subtraction.name,
        convolution.name,
        float(offset.item()),
        float(divisor.item()),
    )


def aligned(model: onnx.ModelProto, levels: InputLevels) -> onnx.ModelProto:
    """Returns the model with gray levels on INT8's grid.

    Args:
        model: the one that the levels were found in, or its form in another precision.
        levels: see `input_levels`.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    nodes = {node.name: node for node in made.graph.node}
    weights = {item.name: item for item in made.graph.initializer}
    subtraction, convolution = nodes[levels.subtraction], nodes[levels.convolution]
    levels_moved = levels.middle - levels.offset
    kernel = numpy_helper.to_array(weights[convolution.input[1]]).astype(np.float64)
    moved = kernel.sum(axis=(1, 2, 3)) * levels_moved / levels.divisor
    for node, place, added in ((subtraction, 1, levels_moved), (convolution, 2, moved)):
        values = numpy_helper.to_array(weights[node.input[place]])
        node.input[place] = f"{node.input[place]}_aligned"  # others may read the old one
        made.graph.initializer.append(
            numpy_helper.from_array((values + added).astype(values.dtype), node.input[place])
        )
    read = {name for node in made.graph.node for name in node.input}
    kept = [item for item in made.graph.initializer if item.name in read]
    del made.graph.initializer[:]
    made.graph.initializer.extend(kept)
    return made
