"""A frozen open_clip model that embeds gray frames and prompts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from distill.teacher.manifest import TeacherRecord


class Teacher:
    """A teacher.

    Attributes:
        record: what lineages keep of it.
        dim: length of an embedding.
        prompt_size_px: side of the model's input.
        logit_scale: factor on cosines that its softmax was trained with.
    """

    record: TeacherRecord
    dim: int
    prompt_size_px: int
    logit_scale: float

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def licence(self) -> str:
        """Licence of its weights; what is distilled from them inherits the question."""
        return self.record.licence

    @property
    def stand_in(self) -> bool:
        """Whether it takes FetalCLIP's place."""
        return self.record.stand_in

    @property
    def space(self) -> str:
        """Name of its embedding space."""
        return self.record.space

    def embed(self, squares: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Returns float32 (B, D), L2-normalised, for gray uint8 squares (S, S) of any sides."""
        raise NotImplementedError

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Returns float32 (N, D), L2-normalised."""
        raise NotImplementedError
