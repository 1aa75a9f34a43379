"""`fetalclip-edge lint`: would TensorRT's parsers take a graph as it stands?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import onnx
import typer

from export.lint import lint
from fetalclip_edge.errors import CheckFailedError, InputError


def command(
    files: Annotated[list[Path], typer.Argument(help="ONNX files.")],
) -> None:
    """Look for what TensorRT 10.3 and later would refuse in ONNX files."""
    wrong = 0
    for path in files:
        try:
            model = onnx.load_model(path)
        except Exception as error:  # (protobuf's exceptions differ by its implementation)
            raise InputError(
                f"{path}",
                expected="an ONNX model",
                arrived=" ".join(str(error).split())[:200] or type(error).__name__,
            ) from None
        findings = lint(model)
        wrong += bool(findings)
        for finding in findings:
            typer.echo(f"{path}: {finding}")
        if not findings:
            typer.echo(f"{path}: nothing found")
    if wrong:
        raise CheckFailedError(
            "lint", expected="graphs that TensorRT takes", arrived=f"findings in {wrong} files"
        )
