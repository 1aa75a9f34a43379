"""What a run was: counts, rate, latency by stage and versions, as one JSON file."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from fetalclip_edge import __version__
from fetalclip_edge.sinks.base import cannot_write


class StageRecord(BaseModel):
    """Latency of one stage in ms."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    p50: float
    p95: float
    p99: float
    max: float


class Summary(BaseModel):
    """The summary of a run."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    schema_id: Literal["fetalclip-edge/summary/1"] = "fetalclip-edge/summary/1"
    source: str
    bundle: str
    bundle_digest: str
    frames: int
    fps: float
    latency_ms: dict[str, StageRecord]
    deadline_misses: int
    states: dict[str, int]
    versions: dict[str, str]


def versions() -> dict[str, str]:
    """Returns name -> version of this package, Python and what does the work."""
    found = {"fetalclip-edge": __version__, "python": platform.python_version()}
    for name in ("numpy", "opencv-python", "onnxruntime", "tensorrt"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # an extra that this machine does not have
    return found


def write_summary(path: Path, summary: Summary) -> None:
    """Writes the summary whole or not at all.

    Raises:
        SinkError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        temporary.write_text(summary.model_dump_json(indent=2) + "\n")
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from None
