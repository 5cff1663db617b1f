"""A local HTTP server that misbehaves on demand: one function per fault."""

from __future__ import annotations

import contextlib
import gzip
import re
import socket
import struct
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 10_000  # 2.56 MB: several pieces
OLD = BODY[:-256] + bytes(256)  # an earlier version of the same size
PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
ETAG = '"v2"'
DATE = "Sat, 21 Nov 2026 12:00:00 GMT"
LATER = "Sat, 21 Nov 2026 12:00:01 GMT"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests[self.path] += 1
        self.nth = self.server.requests[self.path]
        self.server.seen.append((self.path, dict(self.headers)))
        self.close_connection = True
        with contextlib.suppress(OSError):
            FAULTS[self.path.strip("/").partition("-for-")[0]](self)

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


def good(it):
    it.serve()


def good_without_length(it):
    it.start()
    it.send(BODY)


def gzipped(it):
    data = gzip.compress(BODY)
    it.start(len(data), Content_Encoding="gzip")
    it.send(data)


def called_gzip(it):
    """The file's own bytes, called compressed, as some servers do with .tgz."""
    it.start(len(BODY), Content_Encoding="gzip")
    it.send(BODY)


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


def longer_than_declared(it):
    it.start(len(BODY))
    it.send(BODY + b"1234567")


def shorter_declared(it):
    it.start(len(BODY) - 7)
    it.send(BODY)


def endless(it):
    it.start()
    for _ in range(1000):
        it.send(BODY)


def reset_at_1(it):
    it.serve(stop_at=len(BODY) // 100 if it.nth == 1 else None, reset=it.nth == 1)


def reset_at_50(it):
    it.serve(stop_at=len(BODY) // 2 if it.nth == 1 else None, reset=it.nth == 1)


def reset_at_99(it):
    it.serve(stop_at=len(BODY) * 99 // 100 if it.nth == 1 else None, reset=it.nth == 1)


def reset_always(it):
    it.serve(stop_at=(it.range(len(BODY)) or (0,))[0] + 1000, reset=True)


def not_found(it):
    it.start(0, 404)


def forbidden(it):
    it.start(0, 403)


def busy_once(it):
    """429 with Retry-After, then fine."""
    it.start(0, 429, Retry_After="1") if it.nth == 1 else it.serve()


def busy_until(it):
    """The same with a date, by the server's own clock."""
    if it.nth == 1:
        it.start(0, 429, Retry_After=LATER, Date=DATE)
    else:
        it.serve()


def busy_too_long(it):
    it.start(0, 429, Retry_After="172800")


def broken_once(it):
    it.start(0, 500) if it.nth == 1 else it.serve()


def broken(it):
    it.start(0, 500)


def unavailable(it):
    it.start(0, 503)


def circle(it):
    it.start(0, 302, Location=it.path)


def moved(it):
    it.start(0, 302, Location="/good")


def moved_to_another_host(it):
    port = it.server.server_port
    it.start(0, 302, Location=f"http://localhost:{port}/good-for-another-host")


def login(it):
    it.start(len(PAGE), Content_Type="text/html; charset=utf-8")
    it.send(PAGE)


def login_without_type(it):
    it.start(len(PAGE), Content_Type="application/zip")
    it.send(PAGE)


def login_later(it):
    it.serve(stop_at=len(BODY) // 2, reset=True) if it.nth == 1 else login(it)


def stall(it):
    it.start(len(BODY))
    it.send(BODY[: len(BODY) // 2])
    it.wfile.flush()
    it.server.closing.wait()


def stall_once(it):
    (stall if it.nth == 1 else good)(it)


def slow(it):
    """Fine, and slow enough for two fetchers to meet."""
    start, stop = it.range(len(BODY)) or (0, len(BODY))
    partial = it.range(len(BODY)) is not None
    value = (
        {"Content_Range": f"bytes {start}-{stop - 1}/{len(BODY)}"} if partial else {}
    )
    it.start(stop - start, 206 if partial else 200, ETag=ETAG, **value)
    for at in range(start, stop, 1 << 17):
        it.send(BODY[at : min(at + (1 << 17), stop)])
        it.wfile.flush()
        time.sleep(0.02)


def drip(it):
    """A byte now and then: never silent for long, and never done."""
    it.start(len(BODY))
    while not it.server.closing.is_set():
        it.send(b"\0")
        it.wfile.flush()
        time.sleep(0.05)


def ignores_range(it):
    """Whatever is asked for, the whole file comes; it breaks off once."""
    it.start(len(BODY), ETag=ETAG)
    it.send(BODY[: len(BODY) // 2] if it.nth == 1 else BODY)


def says_another_range(it):
    """206 from byte 0 on, whatever was asked for."""
    if it.range(len(BODY)) is None:
        it.serve(stop_at=len(BODY) // 2 if it.nth == 1 else None)
        return
    n = len(BODY)
    it.start(n, 206, ETag=ETAG, Content_Range=f"bytes 0-{n - 1}/{n}")
    it.send(BODY)


def sends_another_range(it):
    """206 that says what was asked for and sends the file's beginning."""
    asked = it.range(len(BODY))
    if asked is None:
        it.serve(stop_at=len(BODY) // 2 if it.nth == 1 else None)
        return
    n = asked[1] - asked[0]
    value = f"bytes {asked[0]}-{asked[1] - 1}/{len(BODY)}"
    it.start(n, 206, ETag=ETAG, Content_Range=value)
    it.send(BODY[1 : n + 1])


def changes(it):
    """The second answer is of another version, by its ETag."""
    if it.nth == 1:
        it.serve(OLD, '"v1"', stop_at=len(OLD) // 2)
    else:
        it.serve()


def changes_in_secret(it):
    """The same, ignoring If-Range and without an ETag: only bytes differ."""
    body = BODY[::-1] if it.nth == 1 else BODY
    asked = it.range(len(body))
    start, stop = asked or (0, len(body))
    value = f"bytes {start}-{stop - 1}/{len(body)}"
    headers = {} if asked is None else {"Content_Range": value}
    it.start(stop - start, 200 if asked is None else 206, **headers)
    it.send(body[start : len(body) // 2 if it.nth == 1 else stop])


def changes_in_size(it):
    body = BODY if it.nth > 1 else BODY + b"more"
    it.serve(body, ETAG if it.nth > 1 else '"v1"', stop_at=len(BODY) // 2)


FAULTS = {
    f.__name__.replace("_", "-"): f
    for f in (
        good, good_without_length, gzipped, called_gzip, cut,
        cut_without_length, empty, wrong_bytes, longer, longer_than_declared,
        shorter_declared, endless, reset_at_1, reset_at_50, reset_at_99, reset_always,
        not_found, forbidden, busy_once, busy_until, busy_too_long, broken_once,
        broken, unavailable, circle, moved, moved_to_another_host, login,
        login_without_type, login_later, stall, stall_once, slow, drip, ignores_range,
        says_another_range, sends_another_range, changes, changes_in_secret,
        changes_in_size,
    )
}  # fmt: skip


@contextlib.contextmanager
def serving(handler=Handler):
    """Yield (server, its url).

    ``server.requests`` counts by path, ``server.seen`` lists (path, headers),
    ``server.sent`` sums bytes of bodies.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
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
