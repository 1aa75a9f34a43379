"""What the bindings' own docstrings say of a call: the only signatures that pybind11 keeps.

`create_autospec` accepts any argument of a pybind11 method, so the docstrings are read instead.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

_OVERLOAD = re.compile(r"^\d+\. (\w+)\(", re.MULTILINE)
_OPEN, _CLOSE = "([{", ")]}"


def signatures(function: Callable[..., Any], name: str) -> list[inspect.Signature]:
    """Returns the signatures of a pybind11 function, one an overload, `self` left out.

    A parameter's annotation is its type as the docstring has it; so is the return's.
    """
    text = (function.__doc__ or "").strip()
    starts = [match.end() for match in _OVERLOAD.finditer(text)]
    if not starts and text.startswith(f"{name}("):
        starts = [len(name) + 1]
    return [_signature(text[start:]) for start in starts]


def bind(
    found: list[inspect.Signature], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[tuple[inspect.Signature, dict[str, Any]]]:
    """Returns each signature that takes these arguments by number and name, with them bound."""
    fitting = []
    for signature in found:
        try:
            fitting.append((signature, dict(signature.bind(*args, **kwargs).arguments)))
        except TypeError:
            continue
    return fitting


def accepts(trt: Any, annotation: str, value: Any) -> bool:
    """Says whether a value is of the type that a docstring names; unknown types take all."""
    if annotation in ("int", "typing.SupportsInt"):
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation in ("str", "bool"):
        return isinstance(value, {"str": str, "bool": bool}[annotation])
    if annotation in ("buffer", "typing_extensions.Buffer"):
        return isinstance(value, (bytes, bytearray, memoryview))
    wanted = class_named(trt, annotation)
    return wanted is None or isinstance(value, wanted)


def class_named(trt: Any, annotation: str) -> type | None:
    """Returns the class of the bindings that a docstring names, or None."""
    prefix = "tensorrt_bindings.tensorrt."
    if not annotation.startswith(prefix):
        return None
    found = trt
    for part in annotation[len(prefix) :].split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None


def _signature(text: str) -> inspect.Signature:
    inside, rest = _until_close(text)
    parameters = []
    for item in _split(inside):
        name, _, typed = item.partition(":")
        annotation, equals, default = typed.partition(" = ")
        if name.strip() == "self":
            continue
        parameters.append(
            inspect.Parameter(
                name.strip().rstrip("_"),
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                annotation=annotation.strip(),
                default=default if equals else inspect.Parameter.empty,
            )
        )
    returned = re.match(r"\s*->\s*(\S+)", rest)
    # an argument with a default before one without is legal in C++ alone
    for index in range(len(parameters) - 1, 0, -1):
        if parameters[index].default is inspect.Parameter.empty:
            parameters[index - 1] = parameters[index - 1].replace(default=inspect.Parameter.empty)
    return inspect.Signature(parameters, return_annotation=returned.group(1) if returned else "")


def _until_close(text: str) -> tuple[str, str]:
    depth = 0
    for index, char in enumerate(text):
        depth += (char in _OPEN) - (char in _CLOSE)
        if depth < 0:
            return text[:index], text[index + 1 :]
    raise ValueError(f"a signature that does not end: {text[:80]}")


def _split(text: str) -> list[str]:
    parts, depth, begin = [], 0, 0
    for index, char in enumerate(text):
        depth += (char in _OPEN) - (char in _CLOSE)
        if char == "," and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
    last = text[begin:]
    return [part for part in (*parts, last) if part.strip()]
