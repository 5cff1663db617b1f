"""A local HTTP server of a folder's files: with ranges, or with faults in them."""

from __future__ import annotations

import contextlib
import re
from http.server import BaseHTTPRequestHandler

from tests.faults.server import serving


def handler(folder, fault=None):
    """Return a handler; `fault(path, data, asked)` may change what is sent.

    `asked` is (start, stop) or None; it returns bytes, or a status to answer with.
    """

    class Files(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.server.requests[self.path] += 1
            self.server.seen.append((self.path, dict(self.headers)))
            with contextlib.suppress(OSError):
                self.answer(folder / self.path.strip("/"))

        def answer(self, path):
            if not path.is_file():
                self.head(404, 0)
                return
            size = path.stat().st_size
            match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            asked = None
            if match:
                asked = int(match[1]), min(int(match[2] or size - 1) + 1, size)
            start, stop = asked or (0, size)
            with path.open("rb") as file:
                file.seek(start)
                data = file.read(stop - start)
            if fault is not None:
                data = fault(path.name, data, asked)
                if isinstance(data, int):
                    self.head(data, 0)
                    return
                asked = None if data is WHOLE else asked
                data = path.read_bytes() if data is WHOLE else data
            ranges = f"bytes {start}-{stop - 1}/{size}"
            self.head(206 if asked else 200, len(data), ranges if asked else None)
            self.wfile.write(data)
            self.server.sent += len(data)

        def head(self, status, length, ranges=None):
            self.send_response_only(status)
            self.send_header("Content-Length", str(length))
            self.send_header("ETag", '"1"')
            if ranges:
                self.send_header("Content-Range", ranges)
            self.end_headers()

        def log_message(self, *args):
            pass

    return Files


WHOLE = object()
"""What a fault returns so that the whole file is sent."""


def serving_files(folder, fault=None):
    """Like :func:`tests.faults.server.serving`, for the files of a folder."""
    return serving(handler(folder, fault))
