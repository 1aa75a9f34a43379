"""Writes a file whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fetalclip_edge.errors import SinkError


def write_whole(path: Path, content: str) -> None:
    """Writes text as UTF-8 beside its place and moves it there.

    Raises:
        SinkError: it cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise SinkError(
            f"{path}",
            expected="room for one more file",
            arrived=error.strerror or "an error",
            remedy="Free space or choose another place",
        ) from None
