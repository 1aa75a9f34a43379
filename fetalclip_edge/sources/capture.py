"""A `cv2.VideoCapture` that another thread may close.

Releasing a capture while a read is under way is not safe, and a read may never return. So the
capture is released by whoever holds it: by `close` where nobody reads, else by the reader itself
as soon as it comes back.
"""

from __future__ import annotations

import threading

import cv2
import numpy as np

from fetalclip_edge.frame import Pixels


class SharedCapture:
    """An opened capture, read by one thread and closed by any.

    Args:
        capture: opened or not; belongs to this object from now on.
    """

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.opened: bool = capture.isOpened()

    def get(self, prop: int) -> float:
        """Returns a property, or 0 where the capture is closed or does not know it."""
        with self._lock:
            return 0.0 if self._closed.is_set() else float(self._capture.get(prop))

    def size_hw(self) -> tuple[int, int] | None:
        """Returns rows and columns as read back, or None."""
        height = int(self.get(cv2.CAP_PROP_FRAME_HEIGHT))
        width = int(self.get(cv2.CAP_PROP_FRAME_WIDTH))
        return (height, width) if height > 0 and width > 0 else None

    def rate_hz(self) -> float | None:
        """Returns frames per second as read back, or None where it makes no sense."""
        rate = self.get(cv2.CAP_PROP_FPS)
        return rate if 0.1 <= rate <= 1000.0 else None

    def read(self) -> Pixels | None:
        """Returns the next image, or None where there is none or the capture was closed."""
        with self._lock:
            if self._closed.is_set():
                return None
            try:
                arrived, image = self._capture.read()
            except cv2.error:
                arrived, image = False, None
            if self._closed.is_set():
                self._capture.release()
                return None
        if not arrived or image is None:
            return None
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        """Releases the capture, or leaves that to the thread that reads; never waits."""
        self._closed.set()
        if self._lock.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._lock.release()
