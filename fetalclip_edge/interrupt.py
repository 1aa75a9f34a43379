"""Ctrl-C between two frames, not inside one: a frame stands in every record or in none."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_after() -> Iterator[None]:
    """Holds back one Ctrl-C until the block has ended; a second one breaks in at once.

    Does nothing in a thread that Python sends no signals to, nor where Ctrl-C is ignored, as in a
    shell's background job, or has a handler of the program around this one.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed in the block.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            signal.default_int_handler(number, frame)
        pressed = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt
