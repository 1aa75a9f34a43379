"""Whether OpenCV can open a window here."""

from __future__ import annotations

import subprocess
import sys

_PROBE = "import cv2; cv2.namedWindow('probe'); cv2.destroyAllWindows()"
_TIMEOUT_S = 20.0


def can_show() -> bool:
    """Returns whether a window opens, tried in a process of its own.

    Qt, which OpenCV's wheels for Linux carry, aborts the whole process where there is no display;
    nothing that is raised could be caught.
    """
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0
