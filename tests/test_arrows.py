"""Arrows point one way: what each room may import, and what a fresh interpreter then holds."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("fetalclip_edge", "distill", "export", "calibration")
ALLOWED = {
    "fetalclip_edge": set(),
    "distill": {"fetalclip_edge"},
    "export": {"fetalclip_edge", "distill"},
    "calibration": {"fetalclip_edge"},
}
TRAINING = {"torch", "torchvision", "timm", "open_clip", "onnx", "onnxscript", "sklearn"}


def _imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_it_may(room: str) -> None:
    for path in sorted((ROOT / room).rglob("*.py")):
        others = (_imports(path) & set(ROOMS)) - {room}
        assert others <= ALLOWED[room], f"{path} imports {others}"


def test_the_cart_never_imports_the_training_side() -> None:
    for path in sorted((ROOT / "fetalclip_edge").rglob("*.py")):
        assert not _imports(path) & TRAINING, path


def test_the_package_alone_is_light() -> None:
    code = "import sys, fetalclip_edge; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"cv2", "onnxruntime", "torch", "numpy"} & set(out.stdout.split())
    assert not heavy
