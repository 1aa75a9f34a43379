"""A window on the cart's screen, with keys to hold, keep and leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2

from fetalclip_edge.display import can_show
from fetalclip_edge.errors import SinkError
from fetalclip_edge.frame import Pixels
from fetalclip_edge.overlay import draw_overlay
from fetalclip_edge.sinks.base import Report, Sink

TITLE = "fetalclip-edge"
_NO_KEY = -1
_ESCAPE = 27


class WindowSink(Sink):
    """Shows each report; the last picture stays while it is held, marked as held.

    Keys: space holds and releases the picture, s saves it as PNG, o hides and shows the overlay,
    q or Escape asks the loop to end.

    Args:
        quit_stream: called once when the sonographer leaves.
        save_folder: where `s` puts pictures.

    Raises:
        SinkError: OpenCV has no window system here, or there is no display.
    """

    def __init__(self, quit_stream: Callable[[], None], save_folder: Path) -> None:
        self._quit_stream, self._save_folder = quit_stream, save_folder
        self._held = False
        self._with_overlay = True
        self._left = False
        self._picture: Pixels | None = None
        if not can_show():
            raise SinkError(
                "--show",
                expected="a display, and an OpenCV with a window system",
                arrived="none",
                remedy="Run without --show, or see `fetalclip-edge doctor`",
            )
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)

    def write(self, report: Report) -> None:
        """Shows a report, unless the picture is held, and hears the keys."""
        if self._left:
            return
        if not self._held:
            if self._with_overlay or report.frame is None:
                self._picture = draw_overlay(report)
            else:
                self._picture = report.frame.pixels
            cv2.imshow(TITLE, self._picture)
        key = cv2.waitKey(1)
        closed = cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        self._hear(_ESCAPE if closed else key)

    def _hear(self, key: int) -> None:
        if key == _NO_KEY:
            return
        if key in (_ESCAPE, ord("q")):
            self._left = True
            self._quit_stream()
        elif key == ord(" "):
            self._held = not self._held
            if self._held and self._picture is not None:
                cv2.imshow(TITLE, _marked_held(self._picture))
        elif key == ord("o"):
            self._with_overlay = not self._with_overlay
        elif key == ord("s"):
            self._save()

    def _save(self) -> None:
        if self._picture is None:
            return
        path = self._save_folder / time.strftime("fetalclip-edge-%Y%m%d-%H%M%S.png")
        try:
            path.write_bytes(cv2.imencode(".png", self._picture)[1].tobytes())
        except OSError as error:
            raise SinkError(
                f"{path}", expected="room for a picture", arrived=error.strerror or "an error"
            ) from None

    def close(self) -> None:
        """Closes the window."""
        try:
            cv2.destroyWindow(TITLE)
        except cv2.error:
            return  # it was closed by hand


def _marked_held(picture: Pixels) -> Pixels:
    """Returns a copy that says that it is not live; what is saved stays without the mark."""
    marked: Pixels = picture.copy()
    cv2.rectangle(marked, (0, 0), (marked.shape[1], 30), (0, 0, 0), cv2.FILLED)
    where, font = (8, 22), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(marked, "HELD - not live (space)", where, font, 0.6, (60, 170, 255), 1, cv2.LINE_AA)
    return marked
