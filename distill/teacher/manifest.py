"""What a teacher is: its record for lineages, and the manifest beside its weights.

Schema version 1. A reader refuses a newer version; fields are added, never given a new meaning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from distill.record_file import read_record, write_record
from fetalclip_edge.bundle.fields import Name, Sha256
from fetalclip_edge.errors import InputError

TEACHER_FILE = "teacher.json"
_MAX_BYTES = 64 * 2**20

_SECTIONS = {"vision_cfg", "text_cfg"}
_KEYS = _SECTIONS | {
    "embed_dim",
    "quick_gelu",
    "custom_text",
    "init_logit_scale",
    "init_logit_bias",
    "nonscalar_logit_scale",
    "preprocess_cfg",
}


def _local_config(config: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if unknown := sorted(set(config) - _KEYS):
        raise ValueError(f"model config keys {unknown} are not known, only {sorted(_KEYS)}")
    if not isinstance(config.get("embed_dim"), int):
        raise ValueError("model config must give embed_dim, a whole number")
    for section in sorted(_SECTIONS):
        part = config.get(section)
        if not isinstance(part, dict):
            raise ValueError(f"model config must give {section}, an object")
        # each of these would fetch something from a hub
        hub = [key for key in part if key.startswith("hf_") and part[key] is not None]
        if part.get("timm_model_pretrained"):
            hub.append("timm_model_pretrained")
        if ":" in str(part.get("timm_model_name", "")):
            hub.append("timm_model_name")
        if hub:
            raise ValueError(f"{section} names {hub}, which would be fetched from a hub")
    return config


OpenClipConfig = Annotated[dict[str, JsonValue], AfterValidator(_local_config)]
"""A model config in open_clip's own form, of a model that is built without any download."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TeacherRecord(_Part):
    """Who taught: what a store, a run and a bundle keep of a teacher."""

    name: Name
    licence: Annotated[str, Field(min_length=1)]
    stand_in: bool
    sha256: Sha256 = Field(description="of the weights")

    @property
    def space(self) -> str:
        """Name of the embedding space: other weights are another space."""
        return f"{self.name[:51]}-{self.sha256[:12]}"


class TeacherManifest(_Part):
    """`teacher.json`: a teacher that lies in a folder together with its weights.

    `stand_in` marks a teacher that takes FetalCLIP's place; wherever its numbers are shown, the
    word "stand-in" and `stand_in_note` stand beside them.
    """

    schema_version: Literal[1]
    name: Name
    licence: Annotated[str, Field(min_length=1)]
    stand_in: bool
    stand_in_note: str
    model: OpenClipConfig
    weights: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.(safetensors|pt)$")]
    sha256: Sha256
    data: tuple[str, ...] = Field(description="names of the data sets trained on")
    trained_on: tuple[str, ...] = Field(description="names of the frames trained on")

    @model_validator(mode="after")
    def _noted(self) -> TeacherManifest:
        if self.stand_in != bool(self.stand_in_note):
            raise ValueError("stand_in_note says what the stand-in is, and is empty for no other")
        return self

    @property
    def record(self) -> TeacherRecord:
        """What lineages keep of it."""
        return TeacherRecord(
            name=self.name, licence=self.licence, stand_in=self.stand_in, sha256=self.sha256
        )

    @classmethod
    def load(cls, folder: Path) -> TeacherManifest:
        """Returns the manifest in a folder.

        Raises:
            InputError: there is none, or it is not what the schema says.
        """
        if not folder.is_dir():
            raise InputError(
                f"teacher {folder}",
                expected=f'"fetalclip", or a folder that holds {TEACHER_FILE} and weights',
                arrived="no such folder",
            )
        return read_record(
            folder / TEACHER_FILE,
            cls,
            max_bytes=_MAX_BYTES,
            remedy="docs/teacher.md shows what it holds",
        )

    def save(self, folder: Path) -> None:
        """Writes the manifest into a folder in one step; `SinkError` where that fails."""
        write_record(folder / TEACHER_FILE, self)
