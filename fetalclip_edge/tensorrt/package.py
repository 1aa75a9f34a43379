"""The one import of the package `tensorrt`, and the versions of it that this code is held to."""

from __future__ import annotations

import re

from fetalclip_edge.errors import MissingPackageError

try:
    import tensorrt as trt
except (ImportError, OSError) as error:
    # OSError: the bindings are there, a library of theirs is not
    raise MissingPackageError(
        "TensorRT",
        expected="the package tensorrt and its libraries",
        arrived=" ".join(str(error).split()),
        remedy="On a Jetson JetPack brings it: make the environment with "
        "`python3 -m venv --system-site-packages`. Elsewhere: pip install 'fetalclip-edge[cu13]'",
    ) from None

__all__ = ["VERSION", "check_version", "trt"]

OLDEST = (10, 3)
TOO_NEW = (12,)
VERSION: str = trt.__version__


def check_version() -> None:
    """Raises `MissingPackageError` unless TensorRT is 10.3 to 11.x."""
    if not OLDEST <= version_tuple(VERSION) < TOO_NEW:
        raise MissingPackageError(
            "TensorRT",
            expected="a version from 10.3 to 11.x",
            arrived=VERSION,
            remedy="Install one of these, or use --backend onnxruntime",
        )


def version_tuple(version: str) -> tuple[int, ...]:
    """Returns the numbers of a version, such as (10, 16, 1, 11)."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
