"""The package onnxruntime, or one error that says how to get it."""

from __future__ import annotations

from fetalclip_edge.errors import MissingPackageError

try:
    import onnxruntime
except ImportError as error:
    raise MissingPackageError(
        "backend onnxruntime",
        expected="the package onnxruntime",
        arrived=str(error),
        remedy="Run: pip install 'fetalclip-edge[cpu]'",
    ) from None

ERRORS_ONLY = 3
"""Severity from which on ONNX Runtime may write on stderr."""

__all__ = ["ERRORS_ONLY", "onnxruntime"]
