"""Several ranges of one file at once, handed on in order."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from mmclust.sources.asking import Ask
from mmclust.sources.stopping import Threads
from mmclust.sources.transport import opening
from mmclust.sources.trouble import changed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from mmclust.sources.asking import Http, Version

PIECE = 16 << 20
"""Bytes of a range; so many times the connections are held in memory."""


@contextlib.contextmanager
def in_parallel(
    http: Http, version: Version, start: int, connections: int
) -> Iterator[Iterator[bytes]]:
    """Fetch the rest of a file over several connections."""
    total = version.total
    assert total is not None
    asks = deque(
        Ask(version.url, at, min(at + PIECE, total), version)
        for at in range(start, total, PIECE)
    )
    threads = Threads(connections, "range")
    running: deque[Future[bytes]] = deque()

    def pieces() -> Iterator[bytes]:
        while asks or running:
            while asks and len(running) <= connections:
                running.append(threads.submit(read_range, http, asks.popleft()))
            yield running.popleft().result()

    try:
        yield pieces()
    finally:
        # A piece that stalls is not waited for: whoever tries again asks anew.
        threads.close()


def read_range(http: Http, ask: Ask) -> bytes:
    """Return the bytes of a range."""
    assert ask.end is not None
    wanted = ask.end - ask.start
    data = bytearray()
    with opening(http, ask) as stream:
        # A server that answers with the whole file has another version by now, or
        # cannot give ranges.
        if not stream.partial or _other(ask, stream.version):
            raise changed(ask.url, f"bytes {ask.start}-{ask.end - 1}", "the whole file")
        for chunk in stream.chunks:
            data += chunk
            if len(data) > wanted:
                raise changed(ask.url, f"{wanted:,} bytes", "more")
    if len(data) < wanted:
        raise changed(ask.url, f"{wanted:,} bytes", f"{len(data):,} bytes")
    return bytes(data)


def _other(ask: Ask, found: Version) -> bool:
    """Say whether an answer is not of the version asked for."""
    return ask.version is not None and found != replace(ask.version, url=found.url)
