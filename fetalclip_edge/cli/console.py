"""Where progress and notes go: stderr, so that stdout holds results alone."""

from __future__ import annotations

from rich.console import Console


def progress_console() -> Console:
    """Returns a console on stderr."""
    return Console(stderr=True, highlight=False)
