"""The form of a network in which INT8 costs it least: other numbers, the same outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.equalize import Balance, balanced, balances
from calibration.input_levels import InputLevels, aligned, input_levels
from calibration.ranges import Ranges
from fetalclip_edge.errors import InputError


@dataclass(frozen=True, slots=True)
class Form:
    """What is done to a network's fp32 file, and to its other forms, before Q/DQ are put in.

    Attributes:
        levels: how it reads gray levels, which are put on INT8's grid; None leaves them.
        plan: the tensors whose channels are brought to like ranges.
    """

    levels: InputLevels | None
    plan: tuple[Balance, ...]

    def apply(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """Returns the model in this form.

        Args:
            model: the one that the form was chosen for, or a typed one of the same nodes.

        Raises:
            InputError: it has other nodes.
        """
        there = {node.name for node in model.graph.node}
        wanted = {name for balance in self.plan for name in (balance.maker, *balance.readers)}
        if self.levels is not None:
            wanted |= {self.levels.subtraction, self.levels.convolution}
        if not wanted <= there:
            raise InputError(
                "typed model file",
                expected="the nodes of the fp32 file",
                arrived=f"none named {min(wanted - there)!r}",
                remedy="Export both from one run",
            )
        if self.levels is not None:
            model = aligned(model, self.levels)
        return balanced(model, self.plan)

    def known(self, ranges: Ranges) -> Ranges:
        """Returns the ranges of a model in this form, with that of its gray levels as it is."""
        if self.levels is None:
            return ranges
        return ranges.with_known(self.levels.tensor, self.levels.range)


def choose_form(model: onnx.ModelProto, squares: NDArray[np.uint8]) -> Form:
    """Returns the form for a model.

    Args:
        model: fp32, as `graph.prepared` returns it.
        squares: frames uint8 (N, 1, S, S) of the calibration set.
    """
    return Form(input_levels(model), balances(model, squares))
