"""The commands where TensorRT is not: one line, and how to get it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

WITHOUT = """
import sys
sys.modules["tensorrt"] = None
from fetalclip_edge.cli.app import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("build", "--precision", "fp32"), 3, "pip install 'fetalclip-edge[cu13]'"),
        (("build", "--precision", "fp7"), 2, "expected fp32, fp16 or int8, got fp7"),
        (("build", "--precision", "fp32", "--model", "/nowhere"), 4, "nothing there"),
        (("stream", "--device", "demo", "--backend", "moon"), 2, "got moon"),
        (("stream", "--device", "demo", "--backend", "tensorrt"), 3, "no engine was built"),
        (
            ("stream", "--device", "demo", "--backend", "tensorrt", "--precision", "fp32"),
            3,
            "JetPack brings it",
        ),
    ],
)
def test_one_line(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
