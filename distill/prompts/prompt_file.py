"""Prompt files: JSON, class name -> list of prompts, the form in which FetalCLIP keeps its own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from fetalclip_edge.errors import InputError

OWN_LICENCE = "Apache-2.0"
NOT_STATED = "not stated"
_FOLDER = Path(__file__).parent
OWN_PLANES = _FOLDER / "planes.json"
OWN_AGES = _FOLDER / "gestational_age.json"

_MAX_BYTES = 2**20
_Prompt = Annotated[str, Field(min_length=1, max_length=2000)]
_FORM = TypeAdapter(
    Annotated[
        dict[str, Annotated[list[_Prompt], Field(min_length=1, max_length=1000)]],
        Field(min_length=1, max_length=1000),
    ]
)
_REMEDY = f"It holds class names, each with a list of prompts; see {OWN_PLANES.name}"


@dataclass(frozen=True, slots=True)
class ClassPrompts:
    """A class and the prompts that describe it, at least one."""

    name: str
    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PromptFile:
    """The prompts of a file.

    Attributes:
        classes: in the order of the file.
        sha256: digest of the file.
        licence: of its words.
    """

    classes: tuple[ClassPrompts, ...]
    sha256: str
    licence: str


def read_prompts(path: Path, licence: str) -> PromptFile:
    """Returns the prompts in a file.

    Raises:
        InputError: it cannot be read, is larger than 1 MiB, or is not of the form.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise _unusable(path, "a file", error.strerror or type(error).__name__) from None
    if len(raw) > _MAX_BYTES:
        raise _unusable(path, f"at most {_MAX_BYTES} bytes", "more")
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates)
        classes = _FORM.validate_python(found, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = " in " + ".".join(map(str, first["loc"])) if first["loc"] else ""
        raise _unusable(path, "class name -> prompts", first["msg"].lower() + where) from None
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or a key twice
        raise _unusable(path, "one JSON object in UTF-8", str(error)) from None
    return PromptFile(
        tuple(ClassPrompts(name, tuple(prompts)) for name, prompts in classes.items()),
        hashlib.sha256(raw).hexdigest(),
        licence,
    )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # of two equal names the first one's prompts would be lost without a word
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"class {next(n for n in names if names.count(n) > 1)!r} twice")
    return fields


def _unusable(path: Path, expected: str, arrived: str) -> InputError:
    return InputError(f"prompts {path}", expected=expected, arrived=arrived, remedy=_REMEDY)
