"""Work on the next item while this one is in use."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")

_SLICE_S = 0.05


@dataclass(frozen=True, slots=True)
class _Made(Generic[Item]):
    item: Item


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def one_ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """Yields the items in order, each made by a thread of its own while the one before is used.

    Close the iterator before what the items are made of: it waits until the thread has ended.

    Raises:
        BaseException: whatever making an item raised, at its place.
    """
    made: queue.Queue[_Made[Item] | _End] = queue.Queue(maxsize=1)
    stop = threading.Event()

    def hand_over(thing: _Made[Item] | _End) -> None:
        while not stop.is_set():
            try:
                made.put(thing, timeout=_SLICE_S)
            except queue.Full:
                continue
            return

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                hand_over(_Made(item))
                if stop.is_set():
                    return
        except BaseException as raised:
            error = raised
        hand_over(_End(error))

    thread = threading.Thread(target=work, name="fetalclip-ahead", daemon=True)
    thread.start()
    try:
        while isinstance(thing := made.get(), _Made):
            yield thing.item
        if thing.error is not None:
            raise thing.error
    finally:
        stop.set()
        thread.join()
