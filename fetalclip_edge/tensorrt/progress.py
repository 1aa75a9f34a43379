"""The builder's phases as bars: a build takes minutes, and its user must see that it lives."""

from __future__ import annotations

import signal
import threading
from typing import Any, SupportsInt

from rich.console import Console
from rich.progress import Progress, TaskID

from fetalclip_edge.tensorrt.package import trt


class BuildProgress(trt.IProgressMonitor):
    """One bar for each phase that runs. Use it with `with`.

    Ctrl-C asks the builder to stop at its next step: an exception must not cross its frames.

    Attributes:
        interrupted: whether Ctrl-C was pressed.
    """

    def __init__(self, console: Console) -> None:
        trt.IProgressMonitor.__init__(self)  # the bindings refuse an object that skips theirs
        self._progress = Progress(console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._before: Any = None
        self.interrupted = False

    def __enter__(self) -> BuildProgress:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def phase_start(
        self, phase_name: str, parent_phase: str | None, num_steps: SupportsInt
    ) -> None:
        """Shows a bar; TensorRT calls it from any of its threads."""
        with self._lock:
            self._tasks[phase_name] = self._progress.add_task(phase_name, total=int(num_steps))

    def step_complete(self, phase_name: str, step: SupportsInt) -> bool:
        """Moves a bar; False asks the builder to stop."""
        with self._lock:
            self._progress.update(self._tasks[phase_name], completed=int(step) + 1)
        return not self.interrupted

    def phase_finish(self, phase_name: str) -> None:
        """Takes a bar away."""
        with self._lock:
            self._progress.remove_task(self._tasks.pop(phase_name))

    def _interrupt(self, *_: object) -> None:
        self.interrupted = True
