"""Logits to a typed classification, the same for trained heads and for text banks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.result import Classification


def classify(
    head: str, kind: str, classes: Sequence[str], logits: NDArray[np.floating]
) -> Classification:
    """Returns the softmax over `classes`.

    Args:
        head: name of the head or bank.
        kind: what is classified.
        classes: names, in the order of `logits`.
        logits: (C,).
    """
    shifted = np.exp(logits.astype(np.float64) - float(logits.max()))
    scores = shifted / shifted.sum()
    best = int(np.argmax(scores))
    return Classification(
        head=head,
        kind=kind,
        label=classes[best],
        confidence=float(scores[best]),
        scores=tuple(zip(classes, map(float, scores), strict=True)),
    )
