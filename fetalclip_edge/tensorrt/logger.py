"""A logger that keeps what TensorRT said last: where it fails, the reason stands nowhere else."""

from __future__ import annotations

from collections import deque

from fetalclip_edge.tensorrt.package import trt

_KEPT = 32
_SHOWN = 3
_SHOWN_CHARS = 600


class KeepingLogger(trt.ILogger):
    """Keeps the last warnings and errors, and prints nothing."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)  # the bindings refuse an object that skips theirs
        self._errors: deque[str] = deque(maxlen=_KEPT)
        self._warnings: deque[str] = deque(maxlen=_KEPT)

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Takes one message; TensorRT calls it from any of its threads."""
        if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
            self._errors.append(msg)
        elif severity == trt.ILogger.Severity.WARNING:
            self._warnings.append(msg)

    def reason(self) -> str:
        """Returns the last errors as one line, the last warnings where there is no error."""
        said = list(self._errors) or list(self._warnings)
        text = "; ".join(" ".join(message.split()) for message in said[-_SHOWN:])
        return text[:_SHOWN_CHARS].rstrip(".") or "no reason given"
