"""A real MJPEG server on loopback that dies and comes back with another size."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from fetalclip_edge.live_feed import LiveFeed
from fetalclip_edge.signal import SignalState
from fetalclip_edge.sources.opening import open_source_factory

SIZES_HW = ((48, 64), (96, 80))
FRAMES = 5


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    served = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        size_hw = SIZES_HW[self.server.served % len(SIZES_HW)]
        self.server.served += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
        self.end_headers()
        generator = np.random.default_rng(0)
        for _ in range(FRAMES):
            image = generator.integers(0, 255, (*size_hw, 3), np.uint8)
            data = cv2.imencode(".jpg", image)[1].tobytes()
            head = f"--f\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data + b"\r\n")
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def port() -> Iterator[int]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_stream_that_dies_is_reopened_and_its_new_size_is_seen(port: int) -> None:
    factory = open_source_factory(f"http://user:secret@127.0.0.1:{port}/")
    shapes: dict[int, set[tuple[int, ...]]] = {}
    gone = 0
    deadline = time.monotonic() + 30
    with LiveFeed(factory) as feed:
        while len(shapes) < 2 and time.monotonic() < deadline:
            tick = feed.next(0.1)
            assert tick is not None
            assert "secret" not in repr(tick.info)
            if tick.raw is None:
                gone += tick.state is SignalState.NO_SIGNAL
            else:
                shapes.setdefault(tick.connection, set()).add(tick.raw.pixels.shape)
    assert shapes == {0: {(48, 64, 3)}, 1: {(96, 80, 3)}}
    assert gone >= 1
