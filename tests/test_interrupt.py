"""Ctrl-C waits for the frame in work, once."""

from __future__ import annotations

import signal
import threading

import pytest

from fetalclip_edge.interrupt import interrupt_after


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
