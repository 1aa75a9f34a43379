"""Cameras and capture cards: V4L2 on Linux, by index elsewhere."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2

from fetalclip_edge.errors import SourceError, SourceStalledError
from fetalclip_edge.frame import check_pixels
from fetalclip_edge.sources.base import RawFrame, Source, SourceInfo
from fetalclip_edge.sources.capture import SharedCapture

SELECT_TIMEOUT_S = 2
# no driver queues a frame for longer; a larger age is a clock other than the monotonic one
MAX_PLAUSIBLE_AGE_NS = 10 * 10**9
REMEDY_DEVICES = "`fetalclip-edge devices` lists what is connected"
REMEDY_PERMISSION = "Add the user to the group that owns it, most often `video`"


@dataclass(frozen=True, slots=True)
class VideoDevice:
    """A video device of this machine.

    Attributes:
        path: /dev/video*; may change when the device is plugged in again.
        by_id: name under /dev/v4l/by-id that stays the same, or None.
        name: what the driver calls it.
    """

    path: str
    by_id: str | None
    name: str

    @property
    def usable(self) -> bool:
        """Whether this user may read from it and set it."""
        return os.access(self.path, os.R_OK | os.W_OK)


def list_devices(
    sys_dir: Path = Path("/sys/class/video4linux"), dev_dir: Path = Path("/dev")
) -> tuple[VideoDevice, ...]:
    """Returns the video devices by number; empty where there are none, or no Linux.

    Args:
        sys_dir: where the kernel describes them.
        dev_dir: where their nodes are.
    """
    by_id_dir = dev_dir / "v4l" / "by-id"
    by_node: dict[Path, str] = {}
    if by_id_dir.is_dir():
        for link in sorted(by_id_dir.iterdir(), reverse=True):
            by_node[link.resolve()] = str(link)
    found: list[tuple[int, VideoDevice]] = []
    for entry in sys_dir.glob("video*") if sys_dir.is_dir() else ():
        number = entry.name.removeprefix("video")
        if not number.isdigit():
            continue
        try:
            name = (entry / "name").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            name = "unknown"
        node = dev_dir / entry.name
        device = VideoDevice(str(node), by_node.get(node.resolve()), name)
        found.append((int(number), device))
    return tuple(device for _, device in sorted(found, key=lambda pair: pair[0]))


class V4l2Source(Source):
    """A camera or capture card.

    What was asked for is a wish: the driver takes what is nearest, and `SourceInfo` says what
    came of it. MJPG is asked for because uncompressed 720p over USB 2 gives 10 frames/s at most.

    Args:
        device: path, best one of /dev/v4l/by-id, or index.
        size_hw: rows and columns to ask for, or None for the driver's own.
        rate_hz: frames per second to ask for, or None for the driver's own.
        fourcc: pixel format to ask for, four letters, or None for the driver's own.
    """

    def __init__(
        self,
        device: str | int,
        size_hw: tuple[int, int] | None = None,
        rate_hz: float | None = None,
        fourcc: str | None = "MJPG",
    ) -> None:
        on_linux = sys.platform.startswith("linux")
        self._device = f"/dev/video{device}" if on_linux and isinstance(device, int) else device
        self._size_hw = size_hw
        self._rate_hz = rate_hz
        self._fourcc = fourcc
        self._capture: SharedCapture | None = None

    @property
    def name(self) -> str:
        """The device as errors call it."""
        return str(self._device)

    def open(self) -> SourceInfo:
        """Opens the device, asks for format, size and rate, and reads back what it got.

        Raises:
            SourceError: there is no such device, it may not be used, or is in use.
        """
        self.close()
        # OpenCV looks at it once, at the first capture; its own 10 s would block a read too long
        os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(SELECT_TIMEOUT_S))
        if isinstance(self._device, str):
            self._check_node(Path(self._device))
            backend = cv2.CAP_V4L2 if sys.platform.startswith("linux") else cv2.CAP_ANY
            # by-id names are links; OpenCV takes /dev/videoN alone for a camera's name
            opened = cv2.VideoCapture(str(Path(self._device).resolve()), backend)
        else:
            opened = cv2.VideoCapture(self._device, cv2.CAP_ANY)
        if opened.isOpened():
            self._ask(opened)
        capture = SharedCapture(opened)
        if not capture.opened:
            capture.close()
            raise SourceError(
                self.name,
                expected="a video device that gives frames",
                arrived="one that cannot be opened",
                remedy=f"Close other programs that use it; {REMEDY_DEVICES}",
            )
        self._capture = capture
        return SourceInfo(
            kind="v4l2",
            name=self.name,
            live=True,
            size_hw=capture.size_hw(),
            rate_hz=capture.rate_hz(),
            fourcc=fourcc_text(int(capture.get(cv2.CAP_PROP_FOURCC))),
        )

    def read(self) -> RawFrame | None:
        """Returns the next frame; never None, for a camera has no end.

        Raises:
            SourceStalledError: no frame within the driver's time limit.
            SourceError: the device was lost.
        """
        capture = self._capture
        if capture is None:
            raise SourceError(self.name, expected="an open source", arrived="a closed one")
        started = time.monotonic()
        pixels = capture.read()
        arrival_ns = time.monotonic_ns()
        if pixels is None:
            waited = time.monotonic() - started >= 0.9 * SELECT_TIMEOUT_S
            raise (SourceStalledError if waited else SourceError)(
                self.name,
                expected=f"a frame within {SELECT_TIMEOUT_S} s",
                arrived="none",
                remedy="Check the cable and the signal",
            )
        check_pixels(pixels)
        on_linux = sys.platform.startswith("linux")
        driver_ms = capture.get(cv2.CAP_PROP_POS_MSEC) if on_linux else 0.0
        return RawFrame(pixels, capture_time_ns(driver_ms, arrival_ns))

    def close(self) -> None:
        """Releases the device, or leaves that to the read that is under way."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.close()

    def _check_node(self, path: Path) -> None:
        if not path.exists():
            raise SourceError(
                self.name,
                expected="a video device",
                arrived="nothing there",
                remedy=REMEDY_DEVICES,
            )
        if not os.access(path, os.R_OK | os.W_OK):
            raise SourceError(
                self.name,
                expected="a video device that this user may use",
                arrived="no permission",
                remedy=REMEDY_PERMISSION,
            )

    def _ask(self, capture: cv2.VideoCapture) -> None:
        # the format goes first: drivers offer other sizes and rates for each
        if self._fourcc is not None:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*self._fourcc))
        if self._size_hw is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size_hw[1])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size_hw[0])
        if self._rate_hz is not None:
            capture.set(cv2.CAP_PROP_FPS, self._rate_hz)


def capture_time_ns(driver_ms: float, arrival_ns: int) -> int:
    """Returns when a frame was captured, on the clock of `time.monotonic_ns`.

    Args:
        driver_ms: the driver's time stamp in ms; monotonic for nearly all drivers, 0 for some.
        arrival_ns: when the frame was handed over; taken where the stamp is missing or lies in
            the future or too far in the past.
    """
    stamp_ns = round(driver_ms * 1e6)
    if stamp_ns > 0 and 0 <= arrival_ns - stamp_ns <= MAX_PLAUSIBLE_AGE_NS:
        return stamp_ns
    return arrival_ns


def fourcc_text(code: int) -> str | None:
    """Returns a pixel format's four letters, or None where the driver does not say."""
    if code <= 0:
        return None
    letters = bytes((code >> shift) & 0xFF for shift in (0, 8, 16, 24))
    return letters.decode("ascii", "replace").strip()
