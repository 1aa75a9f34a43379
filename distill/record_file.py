"""Small JSON records with a schema: read with one clear error, written in one step."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from fetalclip_edge.errors import InputError, SinkError

_Record = TypeVar("_Record", bound=BaseModel)
_SHOWN_CHARS = 60


def read_record(path: Path, kind: type[_Record], *, max_bytes: int, remedy: str) -> _Record:
    """Returns the record in a JSON file.

    Args:
        path: the file.
        kind: what it must hold; types are not coerced.
        max_bytes: a larger file is refused unread.
        remedy: what to do about a file that cannot be used.

    Raises:
        InputError: it is missing, too large, no JSON, or not what `kind` says.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(max_bytes + 1)
    except OSError as error:
        arrived = error.strerror or type(error).__name__
        raise InputError(f"{path}", expected="a file", arrived=arrived, remedy=remedy) from None
    if len(raw) > max_bytes:
        raise InputError(
            f"{path}", expected=f"at most {max_bytes} bytes", arrived="more", remedy=remedy
        )
    try:
        return kind.model_validate_json(raw, strict=True)
    except ValidationError as error:
        first, count = error.errors(include_url=False)[0], error.error_count()
        field = ".".join(map(str, first["loc"]))
        given = repr(first["input"])
        shown = given if len(given) <= _SHOWN_CHARS else given[: _SHOWN_CHARS - 3] + "..."
        raise InputError(
            f"{path}: field {field}" if field else f"{path}",
            expected=first["msg"][:1].lower() + first["msg"][1:],
            arrived=shown + (f" (and {count - 1} more)" if count > 1 else ""),
            remedy=remedy,
        ) from None


def write_record(path: Path, record: BaseModel) -> None:
    """Writes a record so that a reader sees the old one or the new one, whole.

    Raises:
        SinkError: it cannot be written; what was there before is untouched.
    """
    write_bytes(path, (record.model_dump_json(indent=2) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file under a temporary name, and moves it in place once it is on the disk.

    Raises:
        SinkError: it cannot be written; what was there before is untouched.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            with part.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written",
            arrived=error.strerror or type(error).__name__,
            remedy="Check free space and permissions",
        ) from None
