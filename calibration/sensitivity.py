"""How much each layer suffers from INT8, and the fewest layers to spare so that the gate passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from calibration.graph import layers, watched_session
from calibration.quantize import Target, quantize
from calibration.ranges import Method, Ranges

FRAMES = 16
"""Frames of the calibration set on which a layer is judged."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What quantizing one layer alone does to the outputs.

    Attributes:
        layer: name of the layer.
        error: largest over the outputs of RMS difference over RMS value, averaged over frames.
        worst_output: the output that it is largest for.
    """

    layer: str
    error: float
    worst_output: str


def sensitivities(
    model: onnx.ModelProto,
    ranges: Ranges,
    method: Method,
    target: Target,
    squares: NDArray[np.uint8],
) -> tuple[Sensitivity, ...]:
    """Returns the sensitivity of every layer, the most sensitive first.

    Each layer is quantized alone, all others in floating point (as in Wu et al., Integer
    Quantization for Deep Learning Inference, arXiv:2004.09602, 2020, section 5).

    Args:
        model: what `quantize` takes.
        ranges: its activation ranges.
        method: which of them to use.
        target: what the file is for.
        squares: uint8 (N, 1, S, S); the first `FRAMES` are used.
    """
    used = squares[:FRAMES]
    names = [layer.name for layer in layers(model)]
    outputs = [output.name for output in model.graph.output]
    reference = _run(model, used)
    found = []
    for name in names:
        others = [other for other in names if other != name]
        alone = quantize(model, ranges, method, target, float_layers=others)
        errors = [
            float(np.mean([relative_rms(a, b) for a, b in zip(want, got, strict=True)]))
            for want, got in zip(reference, _run(alone, used), strict=True)
        ]
        worst = int(np.argmax(errors))
        found.append(Sensitivity(name, errors[worst], outputs[worst]))
    return tuple(sorted(found, key=lambda item: (-item.error, item.layer)))


def fewest_float_layers(
    order: Sequence[str], passes: Callable[[tuple[str, ...]], bool]
) -> tuple[str, ...] | None:
    """Returns a small set of layers to keep in floating point so that `passes` is true.

    The shortest prefix of the order that passes, less every layer that is not needed once the
    others are spared. No smaller set of these layers passes by leaving out one more; that no
    other set is smaller is not proven.

    Args:
        order: layers, the most sensitive first.
        passes: judges a file with these layers in floating point.

    Returns:
        The layers, or None where no prefix passes.
    """
    kept: tuple[str, ...] | None = None
    for count in range(len(order) + 1):
        if passes(tuple(order[:count])):
            kept = tuple(order[:count])
            break
    if kept is None:
        return None
    for layer in reversed(kept[:-1]):  # without the last one the prefix failed
        fewer = tuple(name for name in kept if name != layer)
        if passes(fewer):
            kept = fewer
    return kept


def _run(model: onnx.ModelProto, squares: NDArray[np.uint8]) -> list[list[NDArray[np.float32]]]:
    """Returns the outputs of the model, output by output, frame by frame."""
    session = watched_session(model)
    frames = [session.run(None, {"frame": square[None]}) for square in squares]
    return [list(values) for values in zip(*frames, strict=True)]


def relative_rms(want: NDArray[np.float32], got: NDArray[np.float32]) -> float:
    """Returns the RMS difference over the RMS value; the difference itself where that is 0."""
    size = float(np.sqrt(np.mean(np.square(want, dtype=np.float64))))
    off = float(np.sqrt(np.mean(np.square(got.astype(np.float64) - want))))
    return off / size if size > 0 else off
