"""A text bank as training reads it: the vectors of a file that `fetalclip-edge prompts` wrote."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fetalclip_edge.errors import InputError

_MAX_BYTES = 256 * 2**20
_NORM_SLACK = 1e-3


@dataclass(frozen=True, slots=True)
class TextBank:
    """The prompts that `bank_loss` distils through.

    Attributes:
        embeddings: float32 (N, D), L2-normalised.
        sha256: digest of the file they were read from.
    """

    embeddings: Tensor
    sha256: str


def read_text_bank(path: Path, dim: int) -> TextBank:
    """Returns the bank in a `.npy` file.

    The file does not say which teacher made it; its width must be the teacher's.

    Args:
        path: the file.
        dim: width of the teacher's space.

    Raises:
        InputError: it cannot be read, or does not hold at least two unit vectors of that width.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        raw = path.read_bytes()
        vectors = np.load(io.BytesIO(raw), allow_pickle=False)
        if vectors.ndim != 2 or vectors.dtype != np.float32:
            raise ValueError(f"{vectors.dtype} of shape {vectors.shape}")
        norms = np.linalg.norm(vectors, axis=1)
        # written so that NaN fails too
        if not (len(vectors) >= 2 and vectors.shape[1] == dim and vectors.size > 0):
            raise ValueError(f"shape {vectors.shape}")
        if not bool((np.abs(norms - 1) <= _NORM_SLACK).all()):
            raise ValueError("vectors of other norms, or not finite")
    except (OSError, ValueError) as error:
        arrived = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"text bank {path}",
            expected=f"a .npy file, float32 (N, {dim}), of unit vectors",
            arrived=arrived,
            remedy="Compile it with the teacher of the store",
        ) from None
    return TextBank(torch.from_numpy(vectors), hashlib.sha256(raw).hexdigest())
