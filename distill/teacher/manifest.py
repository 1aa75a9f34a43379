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

_NOT_LOCAL = ("hf_model_name", "hf_tokenizer_name", "timm_model_pretrained")
_NOT_CLIPS_TOKENIZER = ("tokenizer_kwargs", "tokenizer_mode")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _local(tower: dict[str, JsonValue]) -> dict[str, JsonValue]:
    hub = [key for key in _NOT_LOCAL if tower.get(key)]
    if ":" in str(tower.get("timm_model_name")):
        hub.append("timm_model_name")
    if hub:
        raise ValueError(f"{', '.join(hub)} would be fetched from a hub")
    if other := [key for key in _NOT_CLIPS_TOKENIZER if tower.get(key)]:
        raise ValueError(f"{', '.join(other)}: only CLIP's own tokenizer is known")
    return tower


Tower = Annotated[dict[str, JsonValue], AfterValidator(_local)]
"""`vision_cfg` or `text_cfg` as open_clip has them, of a tower that is built without a hub."""

Positive = Annotated[float, Field(gt=0)]


class PreprocessConfig(_Part):
    """Mean and standard deviation of RGB in [0, 1]; the default is CLIP's.

    Radford et al., CLIP, ICML 2021.
    """

    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[Positive, Positive, Positive] = (0.26862954, 0.26130258, 0.27577711)


class OpenClipConfig(_Part):
    """A model config in open_clip's own form; a timm tower is named in `vision_cfg`."""

    embed_dim: Annotated[int, Field(ge=1, le=65536)]
    vision_cfg: Tower
    text_cfg: Tower
    quick_gelu: bool = False
    custom_text: bool = False
    init_logit_scale: float | None = None
    init_logit_bias: float | None = None
    nonscalar_logit_scale: bool = False
    preprocess_cfg: PreprocessConfig = PreprocessConfig()

    @model_validator(mode="after")
    def _square_image(self) -> OpenClipConfig:
        size = self.vision_cfg.get("image_size", 224)
        if not isinstance(size, int) or not 16 <= size <= 4096:
            raise ValueError(f"image_size must be one side from 16 to 4096 pixels, not {size}")
        return self

    @property
    def image_size_px(self) -> int:
        """Side of the model's input."""
        size = self.vision_cfg.get("image_size", 224)
        return size if isinstance(size, int) else 224


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
