"""The window's keys. No display here: OpenCV's window functions are doubles of the real ones."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import create_autospec, patch

import cv2
import pytest

from fetalclip_edge.errors import SinkError
from fetalclip_edge.sinks.window import WindowSink
from tests.sinks.test_sinks import make_report

NAMES = ("namedWindow", "imshow", "waitKey", "getWindowProperty", "destroyWindow")


class _Screen:
    """What was shown, and the keys that are pressed."""

    def __init__(self) -> None:
        self.doubles = {name: create_autospec(getattr(cv2, name)) for name in NAMES}
        self.doubles["waitKey"].return_value = -1
        self.doubles["getWindowProperty"].return_value = 1.0

    def press(self, key: str) -> None:
        self.doubles["waitKey"].side_effect = [ord(key)]

    @property
    def shown(self) -> int:
        return int(self.doubles["imshow"].call_count)


@pytest.fixture
def screen() -> _Screen:
    return _Screen()


def _play(screen: _Screen, folder: Path, keys: str) -> list[int]:
    """Writes a report for each key and returns how often something was shown after each."""
    left: list[int] = []
    shown: list[int] = []
    with (
        patch.multiple("fetalclip_edge.sinks.window.cv2", **screen.doubles),
        patch("fetalclip_edge.sinks.window.can_show", autospec=True, return_value=True),
        WindowSink(lambda: left.append(1), folder) as sink,
    ):
        for number, key in enumerate(keys):
            if key == ".":
                screen.doubles["waitKey"].side_effect = None
            else:
                screen.press(key)
            sink.write(make_report(number))
            shown.append(screen.shown)
    shown.append(len(left))
    return shown


def test_space_holds_the_picture_and_releases_it(screen: _Screen, tmp_path: Path) -> None:
    # the held picture is shown once more, marked; then nothing until it is released
    assert _play(screen, tmp_path, ". ... .") == [1, 3, 3, 3, 3, 3, 4, 0]


def test_s_saves_the_picture(screen: _Screen, tmp_path: Path) -> None:
    _play(screen, tmp_path, "s")
    (path,) = tmp_path.glob("*.png")
    assert cv2.imread(str(path)) is not None


def test_o_hides_the_overlay(screen: _Screen, tmp_path: Path) -> None:
    _play(screen, tmp_path, "o.")
    first, second = (call.args[1] for call in screen.doubles["imshow"].call_args_list)
    assert first.shape != second.shape
    assert second.shape == make_report().frame.pixels.shape  # type: ignore[union-attr]


def test_q_leaves_once(screen: _Screen, tmp_path: Path) -> None:
    assert _play(screen, tmp_path, "qq.") == [1, 1, 1, 1]


def test_without_a_display_it_says_so(tmp_path: Path) -> None:
    with (
        patch("fetalclip_edge.sinks.window.can_show", autospec=True, return_value=False),
        pytest.raises(SinkError, match="display"),
    ):
        WindowSink(lambda: None, tmp_path)
