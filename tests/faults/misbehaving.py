"""What a server may do wrong: one function per fault, asked for by its name."""

from __future__ import annotations

import gzip
import time

from tests.faults import server
from tests.faults.server import BODY, ETAG

OLD = BODY[:-256] + bytes(256)  # an earlier version of the same size
PAGE = b"\n<!DOCTYPE html><html><body>Please log in</body></html>"
DATE = "Sat, 21 Nov 2026 12:00:00 GMT"
LATER = "Sat, 21 Nov 2026 12:00:01 GMT"


def good(it):
    it.serve()


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


def silent(it):
    """The request is read, and never answered."""
    it.server.closing.wait()


def busy_for_long(it):
    """A wait just short of what is refused."""
    it.start(0, 503, Retry_After="290")


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
        good, good_without_length, gzipped, cut,
        cut_without_length, empty, wrong_bytes, longer, longer_than_declared,
        shorter_declared, endless, reset_at_1, reset_at_50, reset_at_99, reset_always,
        not_found, forbidden, busy_once, busy_until, busy_too_long, broken_once,
        broken, unavailable, circle, moved, moved_to_another_host, login,
        login_without_type, login_later, stall, stall_once, slow, ignores_range,
        says_another_range, sends_another_range, changes, changes_in_secret,
        changes_in_size,
    )
}  # fmt: skip
WAITING = {f.__name__.replace("_", "-"): f for f in (silent, busy_for_long)}
"""What nobody should wait for once it is not needed."""


def serving():
    """Serve the faults; see :func:`tests.faults.server.serving`."""
    return server.serving(faults=FAULTS | WAITING)
