"""A local HTTP server that misbehaves on demand: one function per fault."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 10_000  # 2.56 MB: three pieces of at most 1 MiB
PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests[self.path] += 1
        with contextlib.suppress(OSError):
            FAULTS[self.path.strip("/").partition("-for-")[0]](self)

    def start(self, length=None, status=200, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, data):
        self.wfile.write(data)
        self.server.sent += len(data)

    def log_message(self, *args):
        pass


def good(it):
    it.start(len(BODY))
    it.send(BODY)


def good_without_length(it):
    it.start()
    it.send(BODY)


def gzipped(it):
    data = gzip.compress(BODY)
    it.start(len(data), Content_Encoding="gzip")
    it.send(data)


def cut(it):
    it.start(len(BODY))
    it.send(BODY[: len(BODY) // 2])


def cut_without_length(it):
    it.start()
    it.send(BODY[: len(BODY) // 2])


def empty(it):
    it.start(0)


def wrong_bytes(it):
    it.start(len(BODY))
    it.send(BODY[:-1] + b"?")


def longer(it):
    it.start(len(BODY) + 7)
    it.send(BODY + b"1234567")


def endless(it):
    it.start()
    for _ in range(1000):
        it.send(BODY)


def not_found(it):
    it.send_error(404)


def broken(it):
    it.send_error(500)


def circle(it):
    it.start(0, 302, Location=it.path)


def moved(it):
    it.start(0, 302, Location="/good")


def login(it):
    it.start(len(PAGE), Content_Type="text/html; charset=utf-8")
    it.send(PAGE)


def login_without_type(it):
    it.start(len(PAGE), Content_Type="application/zip")
    it.send(PAGE)


def stall(it):
    it.start(len(BODY))
    it.send(BODY[: len(BODY) // 2])
    it.wfile.flush()
    it.server.closing.wait()


def stall_once(it):
    (stall if it.server.requests[it.path] == 1 else good)(it)


FAULTS = {
    f.__name__.replace("_", "-"): f
    for f in (
        good, good_without_length, gzipped, cut, cut_without_length, empty,
        wrong_bytes, longer, endless, not_found, broken, circle, moved, login,
        login_without_type, stall, stall_once,
    )
}  # fmt: skip


@contextlib.contextmanager
def serving():
    """Yield (server, its url); ``server.requests`` counts, ``server.sent`` sums."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.requests, server.sent = Counter(), 0
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
