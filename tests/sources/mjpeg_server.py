"""A real MJPEG server on loopback whose connections go as a test says."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.phantom import Phantom

RATE_HZ = 25


@dataclass(frozen=True, slots=True)
class Visit:
    """How one connection goes: frames of one size, then death or silence.

    Attributes:
        size_hw: rows and columns of its images.
        frames: number of images.
        stall_s: seconds of silence before the connection dies.
        still: every image is the same.
    """

    size_hw: tuple[int, int]
    frames: int = 10
    stall_s: float = 0.0
    still: bool = False


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    visits: Sequence[Visit] = ()
    served = 0
    images: dict[int, NDArray[np.uint8]]
    closing: threading.Event


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        visit = self.server.visits[min(self.server.served, len(self.server.visits) - 1)]
        self.server.served += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
        self.end_headers()
        for number in range(visit.frames):
            image = self.server.images[0 if visit.still else number % len(self.server.images)]
            resized = cv2.resize(image, visit.size_hw[::-1], interpolation=cv2.INTER_AREA)
            data = cv2.imencode(".jpg", resized)[1].tobytes()
            head = f"--f\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                return
            if self.server.closing.wait(1 / RATE_HZ):
                return
        self.server.closing.wait(visit.stall_s)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serve(*visits: Visit, port: int = 0) -> Iterator[str]:
    """Serves the visits in turn, the last one again and again; yields the address."""
    phantom = Phantom()
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.visits, server.closing = visits, threading.Event()
        server.images = {n: phantom.draw(n / RATE_HZ).pixels for n in range(3)}
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
