"""The JSON beside an engine: what it was built from, for which machine, and how.

A header in front of the engine would hide it from every other tool, so it stands in a file of
its own. An engine may carry host code, and is only loaded when its sha256 is the sidecar's.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fetalclip_edge.bundle.fields import Sha256
from fetalclip_edge.bundle.manifest import Precision
from fetalclip_edge.errors import BundleError
from fetalclip_edge.tensorrt.target import Target

MAX_SIDECAR_BYTES = 2**16
MAX_ENGINE_BYTES = 2**31


class Sidecar(BaseModel):
    """What an engine is.

    Attributes:
        engine: name of its file, in the sidecar's own folder.
        engine_sha256: of that file.
        engine_bytes: its size.
        onnx_sha256: of the model file it was built from, as the bundle's manifest has it.
        precision: arithmetic of that file.
        target: the machine it was built on and for.
        flags: flags of the network and the builder.
        workspace_mb: bound of the builder's scratch memory, in MiB.
        build_seconds: time that TensorRT took.
        built_by: version of this package.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_id: Literal["fetalclip-edge/engine/1"] = "fetalclip-edge/engine/1"
    engine: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")]
    engine_sha256: Sha256
    engine_bytes: Annotated[int, Field(gt=0, le=MAX_ENGINE_BYTES)]
    onnx_sha256: Sha256
    precision: Precision
    target: Target
    flags: tuple[str, ...]
    workspace_mb: Annotated[int, Field(gt=0)]
    build_seconds: Annotated[float, Field(ge=0)]
    built_by: str

    @property
    def version_compatible(self) -> bool:
        """Whether a later TensorRT of the same major version may run it."""
        return "VERSION_COMPATIBLE" in self.flags


def read_sidecar(path: Path) -> Sidecar:
    """Returns the sidecar in a file.

    Raises:
        BundleError: it cannot be read or is none.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_SIDECAR_BYTES + 1)
        if len(raw) > MAX_SIDECAR_BYTES:
            arrived = f"more than {MAX_SIDECAR_BYTES} bytes"
        else:
            return Sidecar.model_validate_json(raw, strict=True)
    except OSError as error:
        arrived = error.strerror or type(error).__name__
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        arrived = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
    raise BundleError(
        f"{path}",
        expected="the sidecar of an engine",
        arrived=arrived,
        remedy="Run: fetalclip-edge build",
    )


def mismatch(sidecar: Sidecar, here: Target) -> str | None:
    """Returns in plain words why the engine must not run on this machine, or None.

    A TensorRT engine belongs to one GPU model and one version of TensorRT; one that was built
    version-compatible also runs on later versions of the same major version.
    """
    built = sidecar.target
    versions = (built.tensorrt or "", here.tensorrt or "")
    fits = sidecar.version_compatible and _is_later(*versions)
    differing = [
        (f"{label}{theirs or 'unknown'}", f"{label}{ours or 'unknown'}")
        for label, theirs, ours, same in (
            ("", built.gpu_name, here.gpu_name, built.gpu_name == here.gpu_name),
            (
                "SM ",
                built.compute_capability,
                here.compute_capability,
                built.compute_capability == here.compute_capability,
            ),
            ("TensorRT ", built.tensorrt, here.tensorrt, fits or versions[0] == versions[1]),
        )
        if not same or theirs is None
    ]
    if not differing:
        return None
    theirs, ours = (" / ".join(side) for side in zip(*differing, strict=True))
    return f"built for {theirs}; this machine has {ours}"


def _is_later(built: str, here: str) -> bool:
    theirs, ours = (tuple(map(int, re.findall(r"\d+", text))) for text in (built, here))
    return bool(theirs and ours) and ours[0] == theirs[0] and ours >= theirs
