"""A small RTSP server on loopback whose connections go as a test says.

RTSP 1.0 (RFC 2326) with RTP interleaved in the same TCP connection, and JPEG in RTP (RFC 2435):
scan data in fragments, with the quantization tables in the first one of each image.
"""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import cv2
import numpy as np
from numpy.typing import NDArray

from fetalclip_edge.phantom import Phantom
from tests.sources.mjpeg_server import RATE_HZ, Visit

FRAGMENT_BYTES = 1400
CLOCK_HZ = 90_000
PAYLOAD_TYPE = 26
TYPE_420 = 1
TABLES_IN_BAND = 255


def jpeg_parts(data: bytes) -> tuple[bytes, bytes]:
    """Returns the two quantization tables (128 bytes) and the scan data of a baseline JPEG."""
    tables, at = b"", 2
    while True:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if marker == 0xDB:
            while body:
                tables, body = tables + body[1:65], body[65:]
        at += 2 + length
        if marker == 0xDA:
            return tables, data[at:-2]


def rtp_packets(image: NDArray[np.uint8], sequence: int, timestamp: int) -> list[bytes]:
    """Returns an image (H, W, 3) as RTP packets; its sides are multiples of 16."""
    sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    tables, scan = jpeg_parts(cv2.imencode(".jpg", image, sampling)[1].tobytes())
    height, width = image.shape[:2]
    packets: list[bytes] = []
    for offset in range(0, len(scan), FRAGMENT_BYTES):
        piece = scan[offset : offset + FRAGMENT_BYTES]
        marker = 0x80 if offset + len(piece) == len(scan) else 0
        head = struct.pack(
            "!BBHII",
            0x80,
            marker | PAYLOAD_TYPE,
            (sequence + len(packets)) & 0xFFFF,
            timestamp & 0xFFFFFFFF,
            0x0FE7A1,
        )
        place = struct.pack("!I", offset)  # its top byte, the type-specific one, is 0
        kind = bytes((TYPE_420, TABLES_IN_BAND, width // 8, height // 8))
        quantization = struct.pack("!BBH", 0, 0, len(tables)) + tables if offset == 0 else b""
        packets.append(head + place + kind + quantization + piece)
    return packets


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    visits: Sequence[Visit] = ()
    played = 0
    images: dict[int, NDArray[np.uint8]]
    closing: threading.Event


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):
            while (request := self._request()) is not None:
                method, address, number = request
                self._answer(method, address, number)
                if method == "PLAY":
                    self._play()
                    return
                if method == "TEARDOWN":
                    return

    def _request(self) -> tuple[str, str, str] | None:
        line = self.rfile.readline().decode("latin-1").split()
        number = "0"
        while header := self.rfile.readline().strip():
            name, _, value = header.decode("latin-1").partition(":")
            number = value.strip() if name.lower() == "cseq" else number
        return (line[0], line[1], number) if len(line) == 3 else None

    def _answer(self, method: str, address: str, number: str) -> None:
        headers, body = [f"CSeq: {number}"], ""
        if method == "OPTIONS":
            headers.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
        elif method == "DESCRIBE":
            body = (
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=phantom\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=video 0 RTP/AVP {PAYLOAD_TYPE}\r\na=rtpmap:{PAYLOAD_TYPE} JPEG/{CLOCK_HZ}\r\n"
                f"a=framerate:{RATE_HZ}\r\na=control:track\r\n"
            )
            headers += [f"Content-Base: {address}/", "Content-Type: application/sdp"]
        elif method in ("SETUP", "PLAY"):
            headers.append("Session: 1;timeout=60")
            if method == "SETUP":
                headers.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        headers.append(f"Content-Length: {len(body)}")
        self.wfile.write(
            ("RTSP/1.0 200 OK\r\n" + "\r\n".join(headers) + f"\r\n\r\n{body}").encode()
        )

    def _play(self) -> None:
        server = self.server
        visit = server.visits[min(server.played, len(server.visits) - 1)]
        server.played += 1
        sequence = 0
        for number in range(visit.frames):
            image = server.images[0 if visit.still else number % len(server.images)]
            resized = cv2.resize(image, visit.size_hw[::-1], interpolation=cv2.INTER_AREA)
            colour = np.asarray(cv2.cvtColor(resized, cv2.COLOR_GRAY2BGR), np.uint8)
            packets = rtp_packets(colour, sequence, number * CLOCK_HZ // RATE_HZ)
            sequence += len(packets)
            for packet in packets:
                self.wfile.write(b"$\x00" + struct.pack("!H", len(packet)) + packet)
            if server.closing.wait(1 / RATE_HZ):
                return
        server.closing.wait(visit.stall_s)


@contextmanager
def serve_rtsp(*visits: Visit, port: int = 0) -> Iterator[str]:
    """Serves the visits in turn, the last one again and again; yields the address."""
    phantom = Phantom()
    with _Server(("127.0.0.1", port), _Handler) as server:
        server.visits, server.closing = visits, threading.Event()
        server.images = {n: phantom.draw(n / RATE_HZ).pixels for n in range(3)}
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"rtsp://127.0.0.1:{server.server_address[1]}/phantom"
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
