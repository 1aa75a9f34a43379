"""An open_clip model and its tokenizer from a config, without any look at a hub."""

from __future__ import annotations

from typing import Any

import open_clip
from open_clip.tokenizer import SimpleTokenizer
from torch import nn

from distill.teacher.manifest import OpenClipConfig
from fetalclip_edge.errors import InputError


def build_model(config: OpenClipConfig) -> nn.Module:
    """Returns the model with random weights.

    Args:
        config: in open_clip's form.

    Raises:
        InputError: open_clip cannot build it.
    """
    made: Any = open_clip.CustomTextCLIP if config.custom_text else open_clip.CLIP
    arguments = config.model_dump(exclude={"custom_text", "preprocess_cfg"}, exclude_none=True)
    try:
        model: nn.Module = made(**arguments)
    except (TypeError, ValueError, RuntimeError, AssertionError, ArithmeticError) as error:
        raise InputError(
            "model config of the teacher",
            expected="one that open_clip can build",
            arrived=" ".join(str(error).split()) or type(error).__name__,
        ) from None
    return model


def build_tokenizer(context_length: int) -> SimpleTokenizer:
    """Returns CLIP's byte-pair tokenizer; its vocabulary lies in open_clip's own package."""
    return SimpleTokenizer(context_length=context_length)
