"""A bank's file: NumPy's `.npy` format, version 1, float32 (N, D) in C order, without pickle."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fetalclip_edge.errors import BundleError
from fetalclip_edge.textbank.entry import GestationalAgeBank, PlaneBank

_DTYPE = np.dtype("<f4")
_NORM_SLACK = 1e-3
_REMEDY = "Compile the bank again with `fetalclip-edge prompts`"


def bank_bytes(vectors: NDArray[np.float32]) -> bytes:
    """Returns the bytes of the file that holds `vectors`, (N, D)."""
    stream = io.BytesIO()
    npy.write_array(
        stream, np.ascontiguousarray(vectors, _DTYPE), version=(1, 0), allow_pickle=False
    )
    return stream.getvalue()


@lru_cache(maxsize=4)  # the streams of a process share one copy; the entry holds the sha256
def read_bank(path: Path, entry: PlaneBank | GestationalAgeBank, dim: int) -> NDArray[np.float32]:
    """Returns the vectors of a bank, float32 (N, D), contiguous and read-only.

    Size and digest are checked by `load_bundle` before this is called.

    Args:
        path: the file.
        entry: what the manifest says of it.
        dim: dimension of the bundle's embedding space.

    Raises:
        BundleError: the file is not what the entry says, or holds vectors that no encoder gives.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(entry.bytes)
    except OSError as error:
        raise _unusable(path, "a file that can be read", error.strerror or "an error") from None
    vectors = _array(path, raw, (entry.rows, dim))
    # in place: a bank of ages is large
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    if not np.isfinite(norms).all():
        bad = int(np.argmin(np.isfinite(norms)))
        raise _unusable(path, "finite numbers", f"others in row {bad}")
    unit = isinstance(entry, PlaneBank)
    wrong = (norms > 1 + _NORM_SLACK) | (norms < 1 - _NORM_SLACK if unit else norms == 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        wanted = "vectors of norm 1" if unit else "vectors of a norm in (0, 1]"
        raise _unusable(path, wanted, f"norm {norms[row]:.4g} in row {row}")
    return vectors


def _array(path: Path, raw: bytes, shape: tuple[int, int]) -> NDArray[np.float32]:
    stream = io.BytesIO(raw)
    try:
        if npy.read_magic(stream) != (1, 0):
            raise ValueError("another version of the format")
        found, fortran_order, dtype = npy.read_array_header_1_0(stream)
    except ValueError as error:
        raise _unusable(path, "a .npy file of version 1.0", str(error).split("\n")[0]) from None
    # compared before anything is sized by it: a header may claim any shape
    if (found, fortran_order, dtype) != (shape, False, _DTYPE):
        order = "Fortran" if fortran_order else "C"
        raise _unusable(
            path, f"{_DTYPE.name} of shape {shape} in C order", f"{dtype} of shape {found}, {order}"
        )
    data = memoryview(raw)[stream.tell() :]
    if len(data) != shape[0] * shape[1] * _DTYPE.itemsize:
        wanted = f"{shape[0] * shape[1] * _DTYPE.itemsize} bytes after the header"
        raise _unusable(path, wanted, f"{len(data)}")
    return np.frombuffer(data, _DTYPE).reshape(shape)


def _unusable(path: Path, expected: str, arrived: str) -> BundleError:
    return BundleError(f"text bank {path}", expected=expected, arrived=arrived, remedy=_REMEDY)
