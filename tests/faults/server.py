"""A local HTTP server whose every path has a behaviour of its own."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 10_000  # 2.56 MB: several pieces
ETAG = '"v2"'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests[self.path] += 1
        self.nth = self.server.requests[self.path]
        self.server.seen.append((self.path, dict(self.headers)))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.server.faults[self.path.strip("/").partition("-for-")[0]](self)

    def start(self, length=None, status=200, **headers):
        self.send_response_only(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in {"Connection": "close", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, data):
        self.wfile.write(data)
        self.server.sent += len(data)

    def range(self, size):
        """Return the asked (start, stop); None without a Range."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match is None:
            return None
        return int(match[1]), min(int(match[2] or size - 1) + 1, size)

    def serve(self, body=BODY, etag=ETAG, stop_at=None, reset=False):
        """Answer as a good server does; end after byte `stop_at` of the file."""
        asked = self.range(len(body))
        if asked is None or self.headers.get("If-Range", etag) != etag:
            start, stop = 0, len(body)
            self.start(len(body), ETag=etag, Accept_Ranges="bytes")
        else:
            start, stop = asked
            value = f"bytes {start}-{stop - 1}/{len(body)}"
            self.start(stop - start, 206, ETag=etag, Content_Range=value)
        self.send(body[start : stop if stop_at is None else min(stop_at, stop)])
        if reset:
            self.wfile.flush()
            time.sleep(0.2)  # a reset takes away what has not been read yet
            # Lingering for 0 s: the kernel sends a reset.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serving(handler=Handler, faults=None):
    """Yield (server, its url).

    ``server.requests`` counts by path, ``server.seen`` lists (path, headers),
    ``server.sent`` sums bytes of bodies.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.faults = faults
    server.daemon_threads = True
    server.requests, server.sent, server.seen = Counter(), 0, []
    server.closing = threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
