"""A frozen open_clip model that embeds gray frames and prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from distill.teacher.architecture import build_tokenizer
from distill.teacher.manifest import TeacherRecord
from distill.teacher.preprocess import TeacherPreprocess
from fetalclip_edge.errors import CheckFailedError, InputError

_PROMPTS_A_BATCH = 64


class Teacher:
    """Embeds frames and prompts into one space; its weights never move.

    Args:
        model: an open_clip model with its weights; it is frozen and moved.
        record: what lineages keep of it.
        preprocess: from squares to the model's input.
        device: where it runs.
        dtype: its arithmetic; None is half precision on a GPU and float32 elsewhere.

    Attributes:
        record: see above.
        dim: length of an embedding.
        logit_scale: factor on cosines that its softmax was trained with.
        device: where it runs.
    """

    def __init__(
        self,
        model: nn.Module,
        record: TeacherRecord,
        preprocess: TeacherPreprocess,
        *,
        device: torch.device,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.record = record
        self._preprocess = preprocess
        self.device = device
        self._dtype = dtype or (torch.float16 if device.type == "cuda" else torch.float32)
        self._model = cast("Any", model.eval().requires_grad_(False))  # open_clip is untyped
        # read before it is rounded to half precision
        self.logit_scale = float(self._model.logit_scale.exp())
        self._model.to(device, self._dtype)
        self._tokenizer = build_tokenizer(self._model.context_length)
        self.dim = self.encode_text(["frame"]).shape[1]

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

    @property
    def prompt_size_px(self) -> int:
        """Side of the model's input, on which the pixel spacing named in a prompt is based."""
        return self._preprocess.size_px

    def embed(self, squares: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Embeds gray squares in source resolution.

        Args:
            squares: uint8 (S, S), or RGB (S, S, 3); sides may differ.

        Returns:
            float32 (B, D), L2-normalised.

        Raises:
            CheckFailedError: an embedding is not finite.
        """
        if not squares:
            return torch.zeros(0, self.dim)
        tensors = [torch.tensor(square) for square in squares]
        planes = [t[None] if t.ndim == 2 else t.permute(2, 0, 1) for t in tensors]
        return self.embed_inputs(torch.cat([self.to_input(plane) for plane in planes]))

    def to_input(self, square: Tensor) -> Tensor:
        """Returns the model's input (1, 3, size, size) for a uint8 square (1 or 3, S, S)."""
        return self._preprocess(square.to(self.device))

    @torch.no_grad()
    def embed_inputs(self, inputs: Tensor) -> Tensor:
        """Embeds what `to_input` made, (B, 3, size, size); returns as `embed`."""
        return self._finite(self._model.encode_image(inputs.to(self._dtype)))

    @torch.no_grad()
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Embeds prompts.

        Returns:
            float32 (N, D), L2-normalised.

        Raises:
            InputError: a prompt has more tokens than the model reads.
        """
        for prompt in prompts:
            self._check_length(prompt)
        rows = [
            self._finite(self._model.encode_text(self._tokenizer(batch).to(self.device)))
            for batch in (
                list(prompts[start : start + _PROMPTS_A_BATCH])
                for start in range(0, len(prompts), _PROMPTS_A_BATCH)
            )
        ]
        return torch.cat(rows) if rows else torch.zeros(0, self.dim)

    def _finite(self, raw: Tensor) -> Tensor:
        embedding = F.normalize(raw.float(), dim=-1)
        if not bool(torch.isfinite(embedding).all()):
            raise CheckFailedError(
                f"embedding of teacher {self.name}",
                expected="finite numbers",
                arrived=f"NaN or infinity in {self._dtype}",
                remedy="Load it in float32 or bfloat16",
            )
        return embedding.cpu()

    def _check_length(self, prompt: str) -> None:
        room = int(self._tokenizer.context_length) - 2  # start and end
        if (tokens := len(self._tokenizer.encode(prompt))) > room:
            raise InputError(
                f"prompt {prompt[:40]!r}",
                expected=f"at most {room} tokens",
                arrived=f"{tokens}",
                remedy="Shorten it: the model would not read its end",
            )
