"""Weights from a local file: proven to be the right bytes before a single one is parsed.

A torch file is read with the unpickler that knows tensors and plain containers alone; whatever
else it holds is refused and never run.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from fetalclip_edge.errors import InputError

MAX_WEIGHT_BYTES = 16 * 2**30
_CHUNK_BYTES = 2**20
_NAMED = 3


def read_weights(path: Path, sha256: str, remedy: str) -> dict[str, Tensor]:
    """Returns name -> tensor from a `.safetensors` file or a torch file.

    The wrappers that trainers put around a state dict are taken off: the key ``state_dict`` and
    the prefix ``module.`` of data-parallel training.

    Args:
        path: the file.
        sha256: digest it must have, in hex.
        remedy: what to do about a file that is missing or another one.

    Raises:
        InputError: it is missing, not the file with this digest, or holds no plain weights.
    """
    try:
        # one handle for the check and the parsing, so that no other file can slip in between
        with path.open("rb") as stream:
            _check_digest(path, stream, sha256, remedy)
            found = _parse(path, stream)
    except OSError as error:
        raise InputError(
            f"weights {path}",
            expected="a file that can be read",
            arrived=error.strerror or type(error).__name__,
            remedy=remedy,
        ) from None
    return _unwrap(path, found)


def _check_digest(path: Path, stream: BinaryIO, sha256: str, remedy: str) -> None:
    if not path.is_file():  # a pipe or a device would block or never end
        raise InputError(f"weights {path}", expected="a file", arrived="something else")
    size = path.stat().st_size
    if size > MAX_WEIGHT_BYTES:
        raise InputError(
            f"weights {path}", expected=f"at most {MAX_WEIGHT_BYTES} bytes", arrived=f"{size}"
        )
    hasher = hashlib.sha256()
    while chunk := stream.read(_CHUNK_BYTES):
        hasher.update(chunk)
    stream.seek(0)
    if hasher.hexdigest() != sha256:
        raise InputError(
            f"weights {path} are not those expected, or damaged",
            expected=f"sha256 {sha256}",
            arrived=f"{hasher.hexdigest()} ({size} bytes)",
            remedy=remedy,
        )


def _parse(path: Path, stream: BinaryIO) -> object:
    try:
        if path.suffix == ".safetensors":
            return load_safetensors(stream.read())
        with zipfile.ZipFile(stream) as archive:
            # torch stores its records as they are; a packed one could unpack without bound
            if any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist()):
                raise _no_weights(path, "a packed archive")
        stream.seek(0)
        return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise _no_weights(path, "Python objects, which were not loaded and not run") from None
    except zipfile.BadZipFile:
        raise _no_weights(path, "no torch file, or one that is cut off") from None
    except SafetensorError as error:
        raise _no_weights(path, str(error)) from None
    except (RuntimeError, ValueError, KeyError, EOFError, TypeError, AttributeError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise _no_weights(path, reason) from None


def _no_weights(path: Path, arrived: str) -> InputError:
    return InputError(
        f"weights {path}",
        expected="a state dict of tensors alone, in a .safetensors or a torch file",
        arrived=arrived,
        remedy="Save it anew with torch.save(model.state_dict(), ...) where you trust its source",
    )


def _unwrap(path: Path, found: object) -> dict[str, Tensor]:
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not found:
        raise _no_weights(path, f"a {type(found).__name__}")
    weights = {}
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise _no_weights(path, f"{name!r}: {type(value).__name__}")
        weights[name.removeprefix("module.")] = value
    return weights


def put_weights(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Copies weights into a model, each and every one.

    Args:
        model: takes them.
        weights: name -> tensor.
        path: where they came from, for messages.

    Raises:
        InputError: a weight is missing, unknown, of another shape, or not finite.
    """
    wanted = model.state_dict()
    faults = [f"no {name}" for name in wanted if name not in weights]
    faults += [f"unknown {name}" for name in weights if name not in wanted]
    faults += [
        f"{name} of shape {tuple(weights[name].shape)} for {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    faults = faults or [
        f"{name} is not finite"
        for name, value in weights.items()
        if value.is_floating_point() and not bool(torch.isfinite(value).all())
    ]
    if faults:
        more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise InputError(
            f"weights {path}",
            expected="the weights of the teacher's architecture",
            arrived="; ".join(faults[:_NAMED]) + more,
            remedy="Check that these weights belong to this model config",
        )
    model.load_state_dict(dict(weights))
