"""The search for layers to spare, and that the layer that suffers is found."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calibration.frames import CalibrationSet
from calibration.graph import prepared
from calibration.quantize import Target
from calibration.ranges import Method, compute_ranges
from calibration.sensitivity import fewest_float_layers, sensitivities
from tests.calibration.small import conv_onnx

LAYERS = tuple("abcdefg")


@given(st.sets(st.sampled_from(LAYERS)), st.permutations(LAYERS))
def test_exactly_the_needed_layers_are_spared(needed: set[str], order: list[str]) -> None:
    kept = fewest_float_layers(order, lambda layers: needed <= set(layers))
    assert kept is not None
    assert set(kept) == needed


def test_a_model_that_never_passes_has_no_answer() -> None:
    asked = []

    def passes(layers: tuple[str, ...]) -> bool:
        asked.append(layers)
        return False

    assert fewest_float_layers(LAYERS, passes) is None
    assert asked[0] == ()
    assert asked[-1] == LAYERS


def test_nothing_is_spared_where_all_may_be_quantized() -> None:
    assert fewest_float_layers(LAYERS, lambda layers: True) == ()


def test_the_layer_that_sees_the_bright_corner_suffers_most() -> None:
    squares = np.random.default_rng(0).integers(0, 256, (4, 1, 64, 64)).astype(np.uint8)
    chosen = CalibrationSet(squares, ("",) * 4, (), ())
    usual, wasteful = (prepared(conv_onnx(bright_corner=corner)) for corner in (False, True))
    errors = {}
    for name, model in (("usual", usual), ("wasteful", wasteful)):
        ranges = compute_ranges(model, "0" * 64, chosen)
        order = sensitivities(model, ranges, Method.MIN_MAX, Target.TENSORRT, squares)
        assert [item.error for item in order] == sorted((i.error for i in order), reverse=True)
        assert {item.layer for item in order} == {"conv1", "conv2", "conv3"}
        errors[name] = {item.layer: item.error for item in order}
    # conv1's own input holds the corner; in the usual model its input is within ten steps of 1
    assert errors["wasteful"]["conv1"] > 10 * errors["usual"]["conv1"]
