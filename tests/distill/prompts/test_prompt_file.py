"""Prompt files: the project's own, one in FetalCLIP's form, and those that are neither."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from distill.data.planes import PLANES
from distill.prompts.naming import named_as_planes, plane_name
from distill.prompts.prompt_file import (
    OWN_AGES,
    OWN_LICENCE,
    OWN_PLANES,
    ClassPrompts,
    read_prompts,
)
from fetalclip_edge.errors import InputError


def test_own_prompts_name_the_planes_and_differ_from_each_other() -> None:
    file = read_prompts(OWN_PLANES, OWN_LICENCE)
    assert {"brain", "abdomen", "femur", "thorax", "cervix"} <= {c.name for c in file.classes}
    assert len(file.classes) == 9
    words = [prompt for item in file.classes for prompt in item.prompts]
    assert len(words) == len(set(words)) == 45
    assert named_as_planes(file.classes, PLANES) == file.classes
    assert file.sha256 == hashlib.sha256(OWN_PLANES.read_bytes()).hexdigest()


def test_own_templates_are_for_the_brain() -> None:
    (ages,) = read_prompts(OWN_AGES, OWN_LICENCE).classes
    assert ages.name == "brain"
    assert len(set(ages.prompts)) == 5


@pytest.mark.parametrize(
    ("name", "planes", "want"),
    [
        ("brain", PLANES, "brain"),
        ("Fetal brain", PLANES, "brain"),
        ("Maternal cervix", PLANES, "cervix"),
        ("heart", PLANES, "thorax"),
        ("Fetal thorax", PLANES, "thorax"),
        ("thorax", ("heart", "brain"), "heart"),
        ("heart", ("heart", "thorax"), "heart"),
        ("heart", (), "heart"),
        ("lips_nose", PLANES, "lips nose"),
        ("lips / nose", PLANES, "lips nose"),
        ("fetal", PLANES, "fetal"),
    ],
)
def test_names_become_those_of_the_bundle(name: str, planes: tuple[str, ...], want: str) -> None:
    assert plane_name(name, planes) == want


@pytest.mark.parametrize("name", ["", "_", "ümlaut", "x" * 65, "[bold]"])
def test_a_name_that_no_bundle_can_hold(name: str) -> None:
    with pytest.raises(InputError, match="letters, digits and blanks"):
        plane_name(name, PLANES)


def test_two_classes_under_one_name() -> None:
    both = [ClassPrompts("heart", ("a",)), ClassPrompts("Fetal thorax", ("b",))]
    with pytest.raises(InputError, match="two for 'thorax'"):
        named_as_planes(both, PLANES)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "one JSON object"),
        (b"\xff", "one JSON object"),
        (b"[" * 100_000, "one JSON object"),
        (b'{"brain": ["a"], "brain": ["b"]}', "class 'brain' twice"),
        (b"[]", "valid dictionary"),
        (b"{}", "at least 1 item"),
        (b'{"brain": []}', "at least 1 item after validation, not 0 in brain"),
        (b'{"brain": "a"}', "valid list in brain"),
        (b'{"brain": ["a", 3]}', "valid string in brain.1"),
        (b'{"brain": [""]}', "at least 1 character in brain.0"),
        (json.dumps({"brain": ["a" * 2001]}).encode(), "at most 2000 characters"),
        (b" " * (2**20 + 1), "at most 1048576 bytes"),
    ],
)
def test_no_prompts(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / "prompts.json"
    path.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        read_prompts(path, OWN_LICENCE)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(InputError, match="expected a file, got"):
            read_prompts(path, OWN_LICENCE)
