"""Activation ranges of the fp32 model: computed once, kept by the hashes of model and set.

TensorRT's calibration caches end with the calibrators that TensorRT 11 removed, so the ranges are
kept in a file of our own, and every target is quantized from the same ones.
"""

from __future__ import annotations

import math
from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector
from pydantic import Field, ValidationError

from calibration.frames import CalibrationSet
from calibration.graph import float_tensors, watched_session
from fetalclip_edge.bundle.fields import Part, Sha256
from fetalclip_edge.errors import InputError

PERCENT = 99.99
_BINS = 2048
_ENTROPY_BINS = 512
_LEVELS = 128
_MAX_BYTES = 16 * 2**20


class Method(str, Enum):
    """How the range of a tensor is taken from its values."""

    MIN_MAX = "min-max"
    PERCENTILE = "percentile"
    ENTROPY = "entropy"


class TensorRange(Part):
    """The range (low, high) of one tensor by each method."""

    name: str
    min_max: tuple[float, float]
    percentile: tuple[float, float]
    entropy: tuple[float, float]

    def by(self, method: Method) -> tuple[float, float]:
        """Returns (low, high) by a method."""
        return {
            Method.MIN_MAX: self.min_max,
            Method.PERCENTILE: self.percentile,
            Method.ENTROPY: self.entropy,
        }[method]


class ChannelMeans(Part):
    """The mean of each channel (C,) of a tensor that a convolution reads."""

    name: str
    values: tuple[float, ...]


class Ranges(Part):
    """The ranges of every float tensor of one model over one calibration set, and means."""

    schema_version: Literal[2] = 2
    model_sha256: Sha256
    set_sha256: Sha256
    frames: Annotated[int, Field(ge=1)]
    tensors: tuple[TensorRange, ...]
    means: tuple[ChannelMeans, ...]

    def with_known(self, name: str, limits: tuple[float, float]) -> Ranges:
        """Returns the ranges with that of one tensor known rather than seen."""
        known = TensorRange(name=name, min_max=limits, percentile=limits, entropy=limits)
        tensors = tuple(known if tensor.name == name else tensor for tensor in self.tensors)
        return self.model_copy(update={"tensors": tensors})


def ranges_path(folder: Path, model_sha256: str, set_sha256: str) -> Path:
    """Returns where the ranges of this model and this set are kept in a folder."""
    return folder / f"ranges-{model_sha256[:12]}-{set_sha256[:12]}.json"


def load_ranges(path: Path, model_sha256: str, set_sha256: str) -> Ranges | None:
    """Returns the ranges kept in a file, or None where there is none.

    Raises:
        InputError: the file holds something else, or ranges of another model or set.
    """
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"{path}", expected="activation ranges", arrived="a larger file")
        ranges = Ranges.model_validate_json(path.read_bytes(), strict=True)
    except (OSError, ValidationError) as error:
        raise InputError(
            f"{path}",
            expected="activation ranges",
            arrived=" ".join(str(error).split())[:120],
            remedy="Delete it; they are computed again",
        ) from None
    if (ranges.model_sha256, ranges.set_sha256) != (model_sha256, set_sha256):
        raise InputError(
            f"{path}",
            expected="ranges of this model and calibration set",
            arrived="those of others",
            remedy="Delete it; they are computed again",
        )
    return ranges


def compute_ranges(model: onnx.ModelProto, model_sha256: str, chosen: CalibrationSet) -> Ranges:
    """Runs the model twice over the set: once for the extremes, once for the rest.

    Args:
        model: fp32, as it is quantized.
        model_sha256: of its bytes.
        chosen: the calibration set.
    """
    names = float_tensors(model)
    session = watched_session(model, names)
    low = np.full(len(names), np.inf)
    high = np.full(len(names), -np.inf)
    for square in chosen.squares:
        for i, values in enumerate(session.run(names, {"frame": square[None]})):
            low[i], high[i] = min(low[i], values.min()), max(high[i], values.max())
    # about zero, as the entropy method wants them
    reach = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1e-6)
    counts = np.zeros((len(names), _BINS), np.int64)
    read = {node.input[0] for node in model.graph.node if node.op_type == "Conv"}
    sums: dict[str, NDArray[np.float64]] = {}
    for square in chosen.squares:
        for i, values in enumerate(session.run(names, {"frame": square[None]})):
            limits = (-float(reach[i]), float(reach[i]))
            counts[i] += np.histogram(values, _BINS, limits)[0]
            if names[i] in read:
                mean = values.mean(axis=(0, 2, 3), dtype=np.float64)
                sums[names[i]] = sums.get(names[i], np.zeros_like(mean)) + mean
    tensors = tuple(
        TensorRange(
            name=name,
            min_max=(float(low[i]), float(high[i])),
            percentile=_percentile(counts[i], float(reach[i]), float(low[i]), float(high[i])),
            entropy=_entropy(counts[i], float(reach[i]), float(low[i]), float(high[i])),
        )
        for i, name in enumerate(names)
    )
    return Ranges(
        model_sha256=model_sha256,
        set_sha256=chosen.sha256,
        frames=len(chosen.squares),
        tensors=tensors,
        means=tuple(
            ChannelMeans(name=name, values=tuple((total / len(chosen.squares)).tolist()))
            for name, total in sums.items()
        ),
    )


def _percentile(
    counts: NDArray[np.int64], reach: float, low: float, high: float
) -> tuple[float, float]:
    """Returns the range that leaves (100 - `PERCENT`) / 2 % of the values out on each side."""
    edges = np.linspace(-reach, reach, _BINS + 1)
    share = np.cumsum(counts) / counts.sum()
    tail = (1 - PERCENT / 100) / 2
    first = int(np.searchsorted(share, tail, side="right"))
    last = int(np.searchsorted(share, 1 - tail))
    return max(low, float(edges[first])), min(high, float(edges[min(last + 1, _BINS)]))


def _entropy(
    counts: NDArray[np.int64], reach: float, low: float, high: float
) -> tuple[float, float]:
    """Returns the range with the least divergence of 8 bits from the values.

    S. Migacz, 8-bit Inference with TensorRT, GTC 2017, as ONNX Runtime has it.
    """
    coarse = counts.reshape(_ENTROPY_BINS, -1).sum(axis=1)
    edges = np.linspace(-reach, reach, _ENTROPY_BINS + 1).astype(np.float32)
    collector = HistogramCollector("entropy", False, _ENTROPY_BINS, _LEVELS, PERCENT, "same")
    histogram = (coarse, edges, np.float32(low), np.float32(high), np.float32(reach))
    begin, end = map(float, collector.get_entropy_threshold(histogram, _LEVELS))
    if not (math.isfinite(begin) and math.isfinite(end) and begin < end):
        return low, high
    return begin, end
