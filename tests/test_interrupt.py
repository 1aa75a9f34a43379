"""Ctrl-C waits for the frame in work, once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from fetalclip_edge.interrupt import interrupt_after


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Ctrl-C is heard, though these tests may run in a job that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_block_ends_first() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupt_after():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        steps.append("after the signal")
    assert steps == ["after the signal"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_one_breaks_in() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupt_after():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        steps.append("after both")
    assert not steps
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_block_is_the_one_that_is_seen() -> None:
    with pytest.raises(ValueError, match="of the frame"), interrupt_after():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        raise ValueError("of the frame")


def test_what_ignores_it_goes_on_doing_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupt_after():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_is_left_alone() -> None:
    done = []

    def work() -> None:
        with interrupt_after():
            done.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [before]
