"""Class names of prompt files to the plane names of a bundle."""

from __future__ import annotations

import re
from collections.abc import Sequence

from distill.prompts.prompt_file import ClassPrompts
from fetalclip_edge.errors import InputError

_SAME_PLANE = {"heart": "thorax", "thorax": "heart"}
"""FetalCLIP calls heart what FETAL_PLANES_DB calls thorax."""

_NAME = re.compile(r"[a-z0-9][a-z0-9 .+-]{0,63}")


def plane_name(name: str, planes: Sequence[str]) -> str:
    """Returns the bundle's name for a class, or the plain form of its own name.

    The plain form is lower case, with blanks between words and without a leading "fetal" or
    "maternal".

    Args:
        name: as the prompt file has it.
        planes: classes of the bundle's plane head.

    Raises:
        InputError: nothing of the name can be used.
    """
    words = re.split(r"[\s_/,]+", name.strip().lower())
    if len(words) > 1 and words[0] in ("fetal", "maternal"):
        words = words[1:]
    plain = " ".join(filter(None, words))
    if plain not in planes and _SAME_PLANE.get(plain) in planes:
        return _SAME_PLANE[plain]
    if not _NAME.fullmatch(plain):
        raise InputError(
            f"class name {name[:40]!r}", expected="letters, digits and blanks, at most 64"
        )
    return plain


def named_as_planes(
    classes: Sequence[ClassPrompts], planes: Sequence[str]
) -> tuple[ClassPrompts, ...]:
    """Returns the classes under the bundle's names, in their order.

    Raises:
        InputError: two classes come under one name.
    """
    renamed: dict[str, ClassPrompts] = {}
    for item in classes:
        name = plane_name(item.name, planes)
        if name in renamed:
            raise InputError(
                "prompts",
                expected="one class for each plane",
                arrived=f"two for {name!r}",
                remedy="Put their prompts under one class",
            )
        renamed[name] = ClassPrompts(name, item.prompts)
    return tuple(renamed.values())
