"""Reads a bundle from a folder and checks every byte of it before anything is used.

The digest of a bundle is the sha256 of its manifest; the manifest holds the sha256 of every
other file, so that pinning the one digest pins the whole bundle.
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.bundle.manifest import (
    MANIFEST_NAME,
    Backend,
    FileEntry,
    GoldenReference,
    Manifest,
    Precision,
)
from fetalclip_edge.bundle.parse import COPY_AGAIN, EXPORT_AGAIN, parse_manifest, short
from fetalclip_edge.errors import BundleError, UsageError
from fetalclip_edge.textbank.entry import GestationalAgeBank, PlaneBank
from fetalclip_edge.textbank.file import read_bank

MAX_MANIFEST_BYTES = 16 * 2**20
MAX_GOLDEN_BYTES = 64 * 2**20
"""A golden PNG larger than this is no golden frame; refused before it is hashed."""

_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class GoldenFrame:
    """A golden frame on disk.

    Attributes:
        reference: what the reference model said of it.
        frame_path: PNG of the frame.
        mask_path: PNG of the reference mask, 255 inside, in the frame's own size.
    """

    reference: GoldenReference
    frame_path: Path
    mask_path: Path

    @property
    def name(self) -> str:
        """Path of the frame in its bundle."""
        return self.reference.path


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle; made by `load_bundle`.

    Attributes:
        folder: where it lies.
        manifest: its manifest.
        digest: sha256 of the bytes of its manifest, in hex.
    """

    folder: Path
    manifest: Manifest
    digest: str

    def entry(self, backend: Backend, precision: Precision) -> FileEntry:
        """Returns the manifest's entry for this backend and precision.

        Raises:
            BundleError: there is none; the message lists what there is.
        """
        entry = self.manifest.file(backend, precision)
        if entry is None:
            there = ", ".join(f"{f.backend.value}/{f.precision.value}" for f in self.manifest.files)
            wanted = f"{Backend(backend).value}/{Precision(precision).value}"
            raise BundleError(
                f"bundle {self.manifest.name} {self.manifest.version}",
                expected=f"a model file for {wanted}",
                arrived=f"files for {there}",
                remedy="Choose one of these, or another bundle",
            )
        return entry

    def model_path(self, backend: Backend, precision: Precision) -> Path:
        """Returns the model file for this backend and precision, or raises `BundleError`."""
        return self.folder / self.entry(backend, precision).path

    def text_bank(self, entry: PlaneBank | GestationalAgeBank) -> NDArray[np.float32]:
        """Returns the vectors of one of the manifest's banks, float32 (N, D), read-only."""
        return read_bank(self.folder / entry.path, entry, self.manifest.embedding_space.dim)

    def golden_frames(self) -> tuple[GoldenFrame, ...]:
        """Returns the golden frames with their files."""
        return tuple(
            GoldenFrame(item, self.folder / item.path, self.folder / item.mask_path)
            for item in self.manifest.golden.frames
        )


def default_bundle_path() -> Path:
    """Returns the folder of the bundle that is shipped inside the package."""
    return Path(__file__).resolve().parents[1] / "models" / "default"


def load_bundle(folder: Path, *, expect_digest: str | None = None) -> Bundle:
    """Returns the bundle in `folder` once every file of it is proven to be the right one.

    Args:
        folder: the bundle's folder.
        expect_digest: sha256 of its manifest in hex; any other bundle is refused.

    Raises:
        BundleError: it is missing, damaged, altered, too new or not the one that was pinned.
        UsageError: `expect_digest` is no sha256.
    """
    root = _folder(Path(folder))
    raw = _read_manifest(root)
    digest = hashlib.sha256(raw).hexdigest()
    if expect_digest is not None:
        _check_pin(root, digest, expect_digest)
    manifest = parse_manifest(raw, root / MANIFEST_NAME)
    sizes = {entry.path: entry.bytes for entry in (*manifest.files, *manifest.text_banks)}
    for path, sha256 in manifest.digests().items():
        _check_file(root, path, sha256, sizes.get(path))
    bundle = Bundle(root, manifest, digest)
    for bank in manifest.text_banks:
        bundle.text_bank(bank)
    return bundle


def _unreadable(path: Path, error: OSError) -> BundleError:
    return BundleError(
        f"{path}",
        expected="something that can be read",
        arrived=error.strerror or type(error).__name__,
        remedy="Check that it exists and that this user may read it",
    )


def _folder(folder: Path) -> Path:
    remedy = "Give the folder that holds manifest.json"
    try:
        root = folder.resolve(strict=True)
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except FileNotFoundError:
        raise BundleError(
            f"bundle {folder}", expected="a folder", arrived="nothing there", remedy=remedy
        ) from None
    except RuntimeError:  # pathlib's word for a loop of links, before Python 3.13
        raise BundleError(
            f"bundle {folder}", expected="a folder", arrived="a loop of links", remedy=remedy
        ) from None
    except OSError as error:
        raise _unreadable(folder, error) from None
    if not is_folder:
        raise BundleError(f"bundle {folder}", expected="a folder", arrived="a file", remedy=remedy)
    return root


def _locate(root: Path, name: str) -> tuple[Path, int]:
    """Returns the real path of a regular file inside `root`, and its size in bytes."""
    path = root / name
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except FileNotFoundError:
        raise BundleError(
            f"bundle {root}", expected=f"a file {name}", arrived="none", remedy=COPY_AGAIN
        ) from None
    except RuntimeError:
        raise BundleError(
            f"{path}", expected="a file", arrived="a loop of links", remedy=COPY_AGAIN
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not real.is_relative_to(root):
        raise BundleError(
            f"{path}",
            expected="a file inside the bundle",
            arrived=f"a link to {real}",
            remedy="Do not use this bundle unless you know who made it; copy the file itself in",
        )
    # a pipe or a device would block or never end, so neither is ever opened
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, pipe or socket"
        raise BundleError(f"{path}", expected="a file", arrived=kind, remedy=COPY_AGAIN)
    return real, status.st_size


def _read_manifest(root: Path) -> bytes:
    path, size = _locate(root, MANIFEST_NAME)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from None
    if len(raw) > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{path}",
            expected=f"at most {MAX_MANIFEST_BYTES} bytes",
            arrived=f"{max(size, len(raw))}",
            remedy=f"This is no manifest. {EXPORT_AGAIN}",
        )
    return raw


def _check_pin(root: Path, digest: str, pinned: str) -> None:
    wanted = pinned.strip().lower()
    if len(wanted) != 64 or set(wanted) - set("0123456789abcdef"):
        raise UsageError(
            "expected digest",
            expected="64 hexadecimal digits",
            arrived=short(pinned),
            remedy="Take it from `fetalclip-edge inspect BUNDLE`",
        )
    if digest != wanted:
        raise BundleError(
            f"digest of bundle {root}",
            expected=wanted,
            arrived=digest,
            remedy="Do not use this bundle; install the one that was approved, or pin this one",
        )


def _check_file(root: Path, name: str, sha256: str, size: int | None) -> None:
    """Raises `BundleError` unless the file is there and has this digest and, if given, size."""
    path, found = _locate(root, name)
    if size is not None and found != size:
        raise BundleError(
            f"{path} is {'truncated' if found < size else 'too long'}",
            expected=f"{size} bytes",
            arrived=f"{found}",
            remedy=f"{COPY_AGAIN}; check that the disk is not full",
        )
    if size is None and found > MAX_GOLDEN_BYTES:
        raise BundleError(
            f"{path}",
            expected=f"a golden frame or mask of at most {MAX_GOLDEN_BYTES} bytes",
            arrived=f"{found}",
            remedy=EXPORT_AGAIN,
        )
    hasher = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                hasher.update(chunk)
    except OSError as error:
        raise _unreadable(path, error) from None
    if hasher.hexdigest() != sha256:
        raise BundleError(
            f"{path} is altered or damaged",
            expected=f"sha256 {sha256}",
            arrived=hasher.hexdigest(),
            remedy=f"Do not use it. {COPY_AGAIN}",
        )
