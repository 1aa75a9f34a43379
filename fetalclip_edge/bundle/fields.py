"""The base and the field types that every part of a manifest is made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _inside_bundle(path: str) -> str:
    parts = path.split("/")
    if not re.fullmatch(r"[A-Za-z0-9._/-]+", path) or any(
        part in ("", ".", "..") for part in parts
    ):
        raise ValueError(f"path {path!r} must be relative, with plain names, inside the bundle")
    return path


BundlePath = Annotated[str, AfterValidator(_inside_bundle)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,63}$")]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]


class Part(BaseModel):
    """A part of a manifest: frozen, without unknown fields."""

    # NaN compares false with every limit, so it would slip through a gate or a tolerance
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
