"""Bytes to a `Manifest`, or one line that says what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError

from fetalclip_edge.bundle.manifest import SCHEMA_VERSION, Manifest
from fetalclip_edge.errors import BundleError

COPY_AGAIN = "Copy or download the bundle again"
EXPORT_AGAIN = "Export the bundle again, or get it from where it was published"

_SHOWN_CHARS = 60


def parse_manifest(raw: bytes, source: Path) -> Manifest:
    """Returns the manifest in `raw`.

    Args:
        raw: the bytes of the file.
        source: where they came from, for messages.

    Raises:
        BundleError: it is no JSON, too new, or not what the schema says.
    """
    version = _strict_json(raw, source).get("schema_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise BundleError(
            f"{source}: field schema_version",
            expected=f"a whole number from 1 to {SCHEMA_VERSION}",
            arrived="nothing" if version is None else short(version),
            remedy=EXPORT_AGAIN,
        )
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"{source} is newer than this program",
            expected=f"manifest schema {SCHEMA_VERSION}",
            arrived=f"schema {version}",
            remedy="Upgrade the package: pip install --upgrade fetalclip-edge",
        )
    try:
        # strict: "3" is no number; from JSON, since there lists are tuples and strings are enums
        return Manifest.model_validate_json(raw, strict=True)
    except ValidationError as error:
        first, count = error.errors(include_url=False)[0], error.error_count()
        field = ".".join(map(str, first["loc"]))
        raise BundleError(
            f"{source}: field {field}" if field else f"{source}",
            expected=first["msg"][:1].lower() + first["msg"][1:],
            arrived=short(first["input"]) + (f" (and {count - 1} more)" if count > 1 else ""),
            remedy=EXPORT_AGAIN,
        ) from None


def short(value: object) -> str:
    """Returns `value` for an error message, cut to one short line."""
    text = f"an object with {len(value)} fields" if isinstance(value, dict) else repr(value)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 3] + "..."


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # readers disagree on which of two equal keys counts, so neither may
    fields = dict(pairs)
    if len(fields) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(k for k in keys if keys.count(k) > 1)!r} twice")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"the number {name}")


def _strict_json(raw: bytes, source: Path) -> dict[str, Any]:
    try:
        data = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant
        )
    except UnicodeDecodeError as error:
        arrived = f"other bytes at {error.start}"
    except json.JSONDecodeError as error:
        arrived = f"{error.msg} at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError) as error:
        arrived = str(error)
    else:
        if isinstance(data, dict):
            return data
        arrived = f"a {type(data).__name__}"
    raise BundleError(
        f"{source}", expected="one JSON object in UTF-8", arrived=arrived, remedy=COPY_AGAIN
    )
