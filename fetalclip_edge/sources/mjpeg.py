"""Motion JPEG over HTTP, read part by part.

OpenCV's own reader rescales a stream that changes its size to the size it began with, so that
millimetres would be wrong and nobody could tell. Here each image has the size that was sent.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import time
from email.message import Message
from urllib.parse import quote

import cv2
import numpy as np

from fetalclip_edge.errors import ImageError, SourceError, SourceStalledError
from fetalclip_edge.frame import MAX_SIDE_PX, Pixels, check_pixels
from fetalclip_edge.sources.address import Address, parse_address
from fetalclip_edge.sources.base import RawFrame, Source, SourceInfo
from fetalclip_edge.sources.multipart import MultipartReader

SCHEMES = ("http", "https")
RECEIVE_BYTES = 65536
# bytes of a start-of-frame marker; C4, C8 and CC lie between them and mean other things
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class MjpegSource(Source):
    """A camera or grabber that serves ``multipart/x-mixed-replace``.

    The time of a frame is when it began to arrive. A part that is no whole JPEG is passed by.

    Args:
        url: may hold a user and a password for basic authentication; they are in no name and no
            error. Redirects are not followed, so that credentials go nowhere else.
        timeout_s: longest wait for a whole frame, and for the connection.

    Raises:
        SourceError: no HTTP address.
    """

    def __init__(self, url: str, timeout_s: float = 2.0) -> None:
        self._address = parse_address(url, SCHEMES)
        self._timeout_s = timeout_s
        self._deadline = 0.0
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._reader: MultipartReader | None = None

    def open(self) -> SourceInfo:
        """Connects and asks for the stream.

        Raises:
            SourceStalledError: no answer within the time limit.
            SourceError: nothing answers, or it answers with something else.
        """
        self.close()
        self._deadline = time.monotonic() + self._timeout_s
        connection = _connection(self._address, self._timeout_s)
        try:
            connection.connect()
            # kept by hand: http.client forgets it where the server says "Connection: close"
            self._socket = connection.sock
            target = quote(self._address.target, safe="%/:=&?~#+!$,;'@()*[]")
            connection.request("GET", target, headers=_headers(self._address))
            response = self._response = connection.getresponse()
        except TimeoutError:
            self.close()
            raise self._stalled() from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise self._lost("an HTTP answer", _reason(error)) from None
        try:
            boundary = self._boundary(response)
        except SourceError:
            self.close()
            raise
        self._reader = MultipartReader(boundary, self._receive, self._address.name)
        return SourceInfo(kind="mjpeg", name=self._address.name, live=True, fourcc="MJPG")

    def read(self) -> RawFrame | None:
        """Returns the next whole frame; never None, for the end of a live stream is a loss.

        Raises:
            SourceStalledError: no whole frame within the time limit.
            SourceError: the stream was lost, or broke its bounds.
        """
        reader = self._reader
        if reader is None:
            raise self._lost("an open source", "a closed one")
        self._deadline = time.monotonic() + self._timeout_s
        while True:
            part, arrival_ns = reader.next_part()
            pixels = decode_jpeg(part)
            if pixels is not None:
                return RawFrame(pixels, arrival_ns)
            if time.monotonic() >= self._deadline:
                raise self._stalled()

    def close(self) -> None:
        """Ends the connection, and with it a read in another thread."""
        self._reader = None
        opened, self._socket = self._socket, None
        response, self._response = self._response, None
        if opened is not None:
            with contextlib.suppress(OSError):
                # the plain shutdown wakes a blocked reader; TLS would first wait for it
                socket.socket.shutdown(opened, socket.SHUT_RDWR)
            opened.close()
        if response is not None:
            with contextlib.suppress(OSError, ValueError):
                response.close()

    def _receive(self) -> bytes:
        """Returns what arrived, within what is left of the time for this frame."""
        opened, response = self._socket, self._response
        if opened is None or response is None:
            return b""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._stalled()
        try:
            opened.settimeout(left)
            return response.read1(RECEIVE_BYTES)
        except TimeoutError:
            raise self._stalled() from None
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            # ValueError and AttributeError: closed by another thread in the midst of it
            raise self._lost("a stream that goes on", _reason(error)) from None

    def _boundary(self, response: http.client.HTTPResponse) -> str:
        if response.status != http.client.OK:
            remedies = {401: "Put user:password@ before the host", 404: "Check the path"}
            raise SourceError(
                self._address.name,
                expected="HTTP status 200",
                arrived=str(response.status),
                remedy="Give the address that it leads to"
                if 300 <= response.status < 400
                else remedies.get(response.status),
            )
        header = Message()
        header["Content-Type"] = response.getheader("Content-Type", "")
        boundary = header.get_boundary()
        if header.get_content_maintype() != "multipart" or not boundary or not boundary.strip('-"'):
            raise SourceError(
                self._address.name,
                expected="multipart/x-mixed-replace with a boundary",
                arrived=repr(header.get_content_type()),
                remedy="Give the address of the camera's stream, not of its page or a single image",
            )
        return boundary

    def _stalled(self) -> SourceStalledError:
        return SourceStalledError(
            self._address.name,
            expected=f"a whole frame within {self._timeout_s:g} s",
            arrived="none",
            remedy="Check the network and the camera",
        )

    def _lost(self, expected: str, arrived: str) -> SourceError:
        return SourceError(self._address.name, expected=expected, arrived=arrived)


def decode_jpeg(data: bytes) -> Pixels | None:
    """Returns a JPEG as (H, W) gray or (H, W, 3) BGR uint8, or None unless it is whole and usable.

    The size is read from the header first, so that a few bytes cannot ask for gigabytes. The end
    marker is asked for, since some decoders fill what is missing with gray.
    """
    size_hw = jpeg_size_hw(data)
    if size_hw is None or max(size_hw) > MAX_SIDE_PX:
        return None
    if not data.rstrip(b"\0\r\n").endswith(b"\xff\xd9"):
        return None
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is None or image.dtype != np.uint8:
            return None
        pixels = np.asarray(image, np.uint8)
        check_pixels(pixels)
    except (cv2.error, ImageError):
        return None
    return pixels


def jpeg_size_hw(data: bytes) -> tuple[int, int] | None:
    """Returns rows and columns from a JPEG's frame header (ITU-T T.81, B.2.2), or None."""
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _FRAME_MARKERS:
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(
                data[at + 7 : at + 9], "big"
            )
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _connection(address: Address, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    return kind(address.host, address.port, timeout=timeout_s)


def _headers(address: Address) -> dict[str, str]:
    headers = {"Accept": "multipart/x-mixed-replace", "User-Agent": "fetalclip-edge"}
    if address.username is not None:
        pair = f"{address.username}:{address.password or ''}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return headers


def _reason(error: Exception) -> str:
    """Returns why, without the error's own text: that may repeat the address."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
