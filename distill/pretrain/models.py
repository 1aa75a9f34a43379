"""The models that can be pre-trained, and how each one is trained."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import open_clip

from distill.record_file import write_bytes
from distill.teacher.config import FETALCLIP_CONFIG
from distill.teacher.manifest import OpenClipConfig
from fetalclip_edge.errors import UsageError

_SMALL = Path(__file__).with_name("small.json")


class ModelName(str, Enum):
    """SMALL: a stand-in that two CPU cores can train. FETALCLIP: the published architecture."""

    SMALL = "small"
    FETALCLIP = "fetalclip"


@dataclass(frozen=True, slots=True)
class PretrainRecipe:
    """How a model is trained: CLIP's loss and AdamW, warm-up and cosine.

    Attributes:
        epochs: passes over all pairs.
        batch: pairs a step, on each process.
        lr: peak learning rate.
        weight_decay: of AdamW, on weights of two axes or more.
        warmup_share: share of all steps in which the learning rate rises.
        seed: of weights and the order of shards.
    """

    epochs: int
    batch: int
    lr: float
    weight_decay: float
    warmup_share: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not (
            self.epochs >= 1
            and self.batch >= 2
            and self.lr > 0.0
            and self.weight_decay >= 0.0
            and 0.0 <= self.warmup_share < 1.0
            and self.seed >= 0
        ):
            raise UsageError(
                "recipe of pre-training",
                expected="epochs >= 1, batch >= 2, lr > 0, warm-up in [0, 1)",
                arrived=f"{self}",
            )


RECIPES: dict[ModelName, PretrainRecipe] = {
    ModelName.SMALL: PretrainRecipe(epochs=3, batch=32, lr=1e-3, weight_decay=0.1),
    ModelName.FETALCLIP: PretrainRecipe(epochs=20, batch=128, lr=5e-4, weight_decay=0.2),
}
"""SMALL was chosen on validation frames; FETALCLIP follows CLIP (Radford et al., ICML 2021) and
was never run to its end by this project."""


def model_config(name: ModelName) -> OpenClipConfig:
    """Returns the architecture of a model."""
    if name is ModelName.FETALCLIP:
        return FETALCLIP_CONFIG
    return OpenClipConfig.model_validate_json(_SMALL.read_bytes())


def register(config: OpenClipConfig, name: str, folder: Path) -> None:
    """Makes a config known to open_clip under `name`, as a JSON file in `folder`.

    Raises:
        SinkError: the file cannot be written.
    """
    # CLIP's colours are open_clip's own default, and its model takes no such key
    text = config.model_dump_json(exclude={"preprocess_cfg"}, exclude_none=True, indent=2)
    path = folder / f"{name}.json"
    write_bytes(path, text.encode())
    open_clip.add_model_config(path)
