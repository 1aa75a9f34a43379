"""Where engines live: the folder `engines` beside a bundle's manifest.

They are no part of the bundle: its manifest does not name them, so that what was exported and
signed off stays as it is, and one bundle on a shared disk serves carts of several kinds. An
engine is found by its sidecar, which names the model file it came from.
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

from fetalclip_edge.bundle.load import Bundle
from fetalclip_edge.bundle.manifest import Backend, FileEntry, Precision
from fetalclip_edge.choosing import source
from fetalclip_edge.errors import BundleError, ProviderError
from fetalclip_edge.tensorrt.sidecar import Sidecar, mismatch, read_sidecar
from fetalclip_edge.tensorrt.target import Target

ENGINES = "engines"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine on disk with what its sidecar says.

    Attributes:
        path: the engine.
        sidecar: what it was built from, and for which machine.
    """

    path: Path
    sidecar: Sidecar

    def read(self) -> bytes:
        """Returns the engine's bytes once they are proven to be those that were built.

        Raises:
            BundleError: they are missing, truncated or altered.
        """
        wanted = self.sidecar
        try:
            status = self.path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise self._refused("a file", "something else")
            if status.st_size != wanted.engine_bytes:
                raise self._refused(f"{wanted.engine_bytes} bytes", f"{status.st_size}")
            data = self.path.read_bytes()
        except OSError as error:
            raise self._refused("an engine", error.strerror or type(error).__name__) from None
        digest = hashlib.sha256(data).hexdigest()
        if digest != wanted.engine_sha256:
            raise self._refused(f"sha256 {wanted.engine_sha256}", digest)
        return data

    def _refused(self, expected: str, arrived: str) -> BundleError:
        return BundleError(
            f"engine {self.path} is not what was built",
            expected=expected,
            arrived=arrived,
            remedy="Run: fetalclip-edge build",
        )


def source_entry(bundle: Bundle, precision: Precision) -> FileEntry:
    """Returns the typed ONNX file that an engine of this precision is built from.

    Raises:
        BundleError: the bundle has no such file.
    """
    entry = source(bundle.manifest, Backend.TENSORRT, precision)
    return entry or bundle.entry(Backend.TENSORRT, precision)


def engines_for(bundle: Bundle, precision: Precision) -> tuple[Engine, ...]:
    """Returns every engine that was built from this bundle in this precision, for any machine.

    A sidecar that cannot be read is passed over: it is not known to belong here.
    """
    wanted = source_entry(bundle, precision).sha256
    found = []
    for path in sorted((bundle.folder / ENGINES).glob("*.json")):
        try:
            sidecar = read_sidecar(path)
        except BundleError:
            continue
        if (sidecar.onnx_sha256, sidecar.precision) == (wanted, precision):
            found.append(Engine(path.with_name(sidecar.engine), sidecar))
    return tuple(found)


def find_engine(bundle: Bundle, precision: Precision, here: Target) -> Engine:
    """Returns the engine for this machine; one built by the same TensorRT comes first.

    Raises:
        BundleError: the bundle has no model file for it.
        ProviderError: none fits; the message says what there is.
    """
    engines = engines_for(bundle, precision)
    reasons = [mismatch(engine.sidecar, here) for engine in engines]
    fitting = [engine for engine, reason in zip(engines, reasons, strict=True) if reason is None]
    if not fitting:
        raise ProviderError(
            f"engine of {bundle.manifest.name} {bundle.manifest.version} in {precision.value}",
            arrived="; ".join(filter(None, reasons)) or "none, it was not built yet",
            remedy=f"Run: fetalclip-edge build --model {bundle.folder} "
            f"--precision {precision.value}",
        )
    return max(fitting, key=lambda engine: engine.sidecar.target.tensorrt == here.tensorrt)
