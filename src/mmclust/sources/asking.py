"""What is asked of servers: which bytes, of which version, how patiently."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mmclust.sources.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx


@dataclass(frozen=True)
class Timeouts:
    """How long a server may keep us waiting, in seconds."""

    connect: float = 10.0
    """Until it accepts the connection."""
    read: float = 60.0
    """Between two pieces of data; also the time over which ``slowest`` holds."""
    slowest: float = 512.0
    """Bytes per second: what drips slower counts as stalled."""


@dataclass(frozen=True)
class Version:
    """Which bytes a url gave: two answers with equal versions hold the same file."""

    url: str
    etag: str = ""
    modified: str = ""
    total: int | None = None
    """Bytes of the whole file."""

    @property
    def validator(self) -> str:
        """What ``If-Range`` may carry: a strong ETag, else the date; or nothing."""
        weak = self.etag.startswith("W/")
        return self.etag if self.etag and not weak else self.modified


@dataclass(frozen=True)
class Ask:
    """A request for a file or a range of it."""

    url: str
    start: int = 0
    end: int | None = None
    """The first byte not wanted."""
    version: Version | None = None
    """Of the answer that the range continues."""


@dataclass(frozen=True)
class Http:
    """A client with what every request needs."""

    client: httpx.Client
    timeouts: Timeouts
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By host: the *name* of the environment variable that holds the token."""
    stop: Stop = field(default_factory=Stop, repr=False)
    """Ends all that is under way."""


@contextlib.contextmanager
def connecting(
    timeouts: Timeouts, tokens: Mapping[str, str] | None = None
) -> Iterator[Http]:
    """Give a client; the usual proxy variables of the environment are honoured.

    What is still under way at the end of the block is stopped.
    """
    import httpx

    limits = httpx.Timeout(timeouts.read, connect=timeouts.connect)
    with httpx.Client(timeout=limits, follow_redirects=True) as client:
        http = Http(client, timeouts, tokens or {})
        try:
            yield http
        finally:
            http.stop.set()


def headers_of(http: Http, ask: Ask) -> dict[str, str]:
    """Return the headers of a request; a token goes to its own host alone."""
    # Digests are of the file itself, so it must not be compressed on the way.
    headers = {"Accept-Encoding": "identity", "User-Agent": "mmclust"}
    if ask.start or ask.end is not None:
        last = "" if ask.end is None else ask.end - 1
        headers["Range"] = f"bytes={ask.start}-{last}"
        if ask.version is not None and ask.version.validator:
            headers["If-Range"] = ask.version.validator
    parts = urlsplit(ask.url)
    token = os.environ.get(http.tokens.get(parts.hostname or "", ""), "")
    if token and parts.scheme == "https":
        # httpx drops it when it is redirected to another host.
        headers["Authorization"] = f"Bearer {token}"
    return headers
