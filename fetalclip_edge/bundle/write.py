"""Writes a bundle so that a reader sees the old one or the new one, whole and checked."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fetalclip_edge.bundle.load import Bundle, load_bundle
from fetalclip_edge.bundle.manifest import (
    MANIFEST_NAME,
    Backend,
    FileEntry,
    Manifest,
    Precision,
)
from fetalclip_edge.errors import BundleError, UsageError

_CHUNK_BYTES = 2**20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
"""renameat2(2): swap two names in one step."""


def manifest_json(manifest: Manifest) -> bytes:
    """Returns the bytes of manifest.json: the model's order, indent 2, one trailing newline."""
    return (manifest.model_dump_json(indent=2) + "\n").encode("utf-8")


def sha256_of(data: bytes | Path) -> tuple[str, int]:
    """Returns (sha256 in hex, size in bytes) of bytes or of a file."""
    if isinstance(data, bytes):
        return hashlib.sha256(data).hexdigest(), len(data)
    hasher, size = hashlib.sha256(), 0
    with data.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            hasher.update(chunk)
            size += len(chunk)
    return hasher.hexdigest(), size


def file_entry(
    path_in_bundle: str, backend: Backend, precision: Precision, opset: int, data: bytes | Path
) -> FileEntry:
    """Returns the manifest's entry for a model file.

    Args:
        path_in_bundle: where it will lie, relative to the bundle's folder.
        backend: what runs it.
        precision: its arithmetic.
        opset: its ONNX opset.
        data: the file or its bytes; size and digest are taken from it.
    """
    sha256, size = sha256_of(data)
    return FileEntry(
        backend=backend,
        precision=precision,
        path=path_in_bundle,
        sha256=sha256,
        bytes=size,
        opset=opset,
    )


def write_bundle(folder: Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> Bundle:
    """Writes a bundle, checks it as a reader would, and only then puts it in place.

    Args:
        folder: where it goes; a bundle that is there already is replaced.
        manifest: its manifest.
        files: path in the bundle -> bytes or file, for exactly the files the manifest names.

    Returns:
        The bundle as loaded from `folder`.

    Raises:
        BundleError: the files are not those of the manifest, or cannot be written; what was in
            `folder` before is untouched.
        UsageError: `folder` is something other than a bundle.
    """
    _check_names(manifest, files)
    target = folder.resolve()  # a link to a bundle stays a link
    _check_replaceable(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # beside the target, since a rename is atomic only inside one file system
        stage = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise _unwritable(target, error) from None
    try:
        _fill(stage, manifest, files)
        digest = load_bundle(stage).digest
        _put_in_place(stage, target)
    except OSError as error:
        raise _unwritable(target, error) from None
    finally:
        # holds the old bundle after a swap, a half-written one after a failure, else nothing
        shutil.rmtree(stage, ignore_errors=True)
    return Bundle(target, manifest, digest)


def _check_names(manifest: Manifest, files: Mapping[str, bytes | Path]) -> None:
    named = set(manifest.digests())
    missing, unknown = sorted(named - set(files)), sorted(set(files) - named)
    if missing or unknown:
        raise BundleError(
            f"files for bundle {manifest.name}",
            expected="exactly those that its manifest names",
            arrived=f"missing {missing}, not named {unknown}",
            remedy="Pass each file under the path that the manifest gives it",
        )


def _check_replaceable(target: Path) -> None:
    # the old folder is deleted at the end: never a home folder that was named by mistake
    try:
        holds = {path.name for path in target.iterdir()}
    except FileNotFoundError:
        return
    except NotADirectoryError:
        holds = {target.name}
    except OSError as error:
        raise _unwritable(target, error) from None
    if holds and MANIFEST_NAME not in holds:
        raise UsageError(
            f"output {target}",
            expected="a new or empty folder, or a bundle to replace",
            arrived="something else",
            remedy="Give another path",
        )


def _unwritable(target: Path, error: OSError) -> BundleError:
    return BundleError(
        f"bundle {target} cannot be written",
        arrived=f"{error.strerror or type(error).__name__} on {error.filename or target}",
        remedy="Check free space and permissions",
    )


def _fill(stage: Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> None:
    umask = os.umask(0)
    os.umask(umask)
    stage.chmod(0o777 & ~umask)  # mkdtemp's 0700 would hide the bundle from other users
    for name, data in {**files, MANIFEST_NAME: manifest_json(manifest)}.items():
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            if isinstance(data, bytes):
                out.write(data)
            else:
                with data.open("rb") as source:
                    shutil.copyfileobj(source, out, _CHUNK_BYTES)
            out.flush()
            os.fsync(out.fileno())
    for parent in {path.parent for path in stage.rglob("*")}:
        _sync_folder(parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows opens no folder, and writes its entries by itself
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _put_in_place(stage: Path, target: Path) -> None:
    if not target.exists():
        stage.rename(target)
    elif not _exchange(stage, target):
        # no atomic swap on this file system: the gap is one rename, and undone if that fails
        aside = stage.with_name(stage.name + ".old")
        target.rename(aside)
        try:
            stage.rename(target)
        except OSError:
            aside.rename(target)
            raise
        shutil.rmtree(aside, ignore_errors=True)
    _sync_folder(target.parent)


def _exchange(first: Path, second: Path) -> bool:
    """Swaps two folders in one step; returns False where the system cannot."""
    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return False  # TypeError: Windows has no library of the program itself
    names = os.fsencode(first), os.fsencode(second)
    return bool(swap(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0)
