"""One HTTP request: what is asked, what comes, what can go wrong, and asking again.

This is the one place that knows about servers. :func:`opening` asks once, over http(s)
or in a file; :func:`persistently` tries again while that may help.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import zlib
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK
from mmclust.sources.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import httpx

T = TypeVar("T")
BY_HAND = (
    "check the network and the address and try again, or download the file by hand "
    "and give its folder with --from"
)
_OK, _PART, _BEYOND = 200, 206, 416
_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses of servers that may do better soon."""
_ADVICE = {
    401: "the source needs a token: see `mmclust sources show`; or ",
    403: "the source may need a token or accepted terms on its own page: see "
    "`mmclust sources show`; or ",
}
_ANY_HEADER = zlib.MAX_WBITS | 32  # for zlib: gzip's header, or its own
_RATIO = 200  # beyond it a compressed body of unknown size is taken for a bomb
_LARGEST = 4 << 30
"""Bytes of a body whose size neither the registry nor the server states."""
_PROGRESS = 1 << 20
"""Bytes after which a server that breaks off counts as one that works."""
# Only for the waiting: no result depends on it.
_RANDOM = secrets.SystemRandom()


@dataclass(frozen=True)
class Network:
    """How servers are asked; no result depends on it. Times are in seconds."""

    connections: int = 4  # at once: over files, and over ranges of a large file
    connect: float = 10.0  # until a server accepts the connection
    read: float = 60.0  # between two pieces of data
    attempts: int = 5  # with one server, in a row without progress
    first: float = 1.0  # the first wait, at most; it doubles from then on
    longest: float = 60.0  # a wait of our own
    asked: float = 300.0
    """A wait that the server asks for; if it asks for more, we give up."""


@dataclass(frozen=True)
class Version:
    """Which bytes a url gave: two answers with equal versions hold the same file."""

    url: str
    etag: str = ""
    modified: str = ""
    total: int | None = None  # bytes of the whole file

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
    end: int | None = None  # the first byte not wanted
    version: Version | None = None  # of the answer that the range continues


@dataclass(frozen=True)
class Stream:
    """A file on its way, in pieces of at most 1 MiB."""

    url: str  # where it comes from, after redirects
    chunks: Iterator[bytes]
    version: Version
    content_type: str = ""  # what the sender says it is; empty for a file
    ranges: bool = False  # whether the sender says that parts can be had
    partial: bool = False  # whether it is the part that was asked for


@dataclass(frozen=True)
class Http:
    """A client with what every request needs."""

    client: httpx.Client
    network: Network
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By host: the *name* of the environment variable that holds the token."""
    stop: Stop = field(default_factory=Stop, repr=False)  # ends all that is under way


class FetchError(MmclustError):
    """A download failed, and what that means for the next attempt."""

    def __init__(
        self,
        what: str,
        *,
        again: bool = False,
        wait: float | None = None,
        stale: bool = False,
        **parts: object,
    ) -> None:
        super().__init__(what, **parts)  # type: ignore[arg-type]
        self.again = again
        """Whether the same request may succeed a little later."""
        self.wait = wait
        """Seconds the server asked us to wait."""
        self.stale = stale
        """Whether what has arrived may not belong to what the server has."""


def changed(url: str, expected: object, found: object) -> FetchError:
    """Return that the remote file is no longer the one a part belongs to."""
    return FetchError(
        "The file changed while it was being fetched",
        where=url,
        expected=expected,
        found=found,
        do="fetch again; if it stays so, the server is not to be relied on",
        again=True,
        stale=True,
    )


@contextlib.contextmanager
def connecting(network: Network, tokens: Mapping[str, str]) -> Iterator[Http]:
    """Give a client; the usual proxy variables of the environment are honoured."""
    import httpx

    limits = httpx.Timeout(network.read, connect=network.connect)
    with httpx.Client(timeout=limits, follow_redirects=True) as client:
        yield Http(client, network, tokens)


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


@contextlib.contextmanager
def opening(http: Http, ask: Ask, n_expected: int | None = None) -> Iterator[Stream]:
    """Open a url for reading."""
    if urlsplit(ask.url).scheme == "file":
        with _open_file(ask) as stream:
            yield stream
        return
    import httpx

    try:
        with http.client.stream(
            "GET",
            ask.url,
            headers=headers_of(http, ask),
            extensions={"trace": http.stop.trace},
        ) as response:
            yield _answer(ask, response, n_expected)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise failure(ask.url, error, http.network) from error


def _answer(ask: Ask, response: httpx.Response, n_expected: int | None) -> Stream:
    if response.status_code == _BEYOND:
        raise changed(ask.url, f"at least {ask.start:,} bytes", "a shorter file")
    if response.status_code not in {_OK, _PART}:
        code = response.status_code
        raise FetchError(
            "The server did not give the file",
            where=ask.url,
            expected="HTTP status 200",
            found=f"{code} {response.reason_phrase}".rstrip(),
            do=_ADVICE.get(code, "") + BY_HAND,
            again=code in _PASSING,
            wait=retry_after(response.headers),
        )
    headers = response.headers
    length = headers.get("content-length", "")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "deflate"}:
        found = f"Content-Encoding: {encoding}"
        raise _odd_body(ask.url, "the file's own bytes", found)
    total = int(length) if length.isdigit() and encoding == "identity" else None
    chunks = response.iter_raw()
    if encoding != "identity":
        chunks = _unpacked(chunks, ask.url)
    if total is None and n_expected is None:
        chunks = _capped(chunks, response, ask.url)
    partial = response.status_code == _PART
    if partial:
        total = _total_of_range(ask, headers)
    version = Version(
        ask.url, headers.get("etag", ""), headers.get("last-modified", ""), total
    )
    asked = ask.version
    if partial and asked is not None and asked.url == ask.url:
        for name in ("etag", "modified", "total"):
            before, now = getattr(asked, name), getattr(version, name)
            if before and now and before != now:
                raise changed(ask.url, f"{name} {before}", f"{name} {now}")
    return Stream(
        str(response.url),
        chunks,
        version,
        headers.get("content-type", ""),
        headers.get("accept-ranges", "") == "bytes" and encoding == "identity",
        partial,
    )


def _unpacked(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """Undo a Content-Encoding; gzip may have several members."""
    decoder, why = zlib.decompressobj(_ANY_HEADER), "it ends too early"
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if decoder.eof:
                    decoder = zlib.decompressobj(_ANY_HEADER)
                if piece := decoder.decompress(rest, CHUNK):
                    yield piece
                rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    except zlib.error as error:
        why = str(error)
    if not decoder.eof:
        raise FetchError(
            "The download is damaged",
            where=url,
            expected="data compressed as the server says",
            found=why,
            do=BY_HAND,
            again=True,
        )


def _capped(
    chunks: Iterator[bytes], response: httpx.Response, url: str
) -> Iterator[bytes]:
    """Refuse a bomb, and a body that goes on, where nobody says how long it is."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        came = response.num_bytes_downloaded
        if size > min(_LARGEST, max(CHUNK, _RATIO * came)):
            expected = f"at most {_RATIO} bytes for each compressed byte"
            expected += f", {_LARGEST:,} in all"
            raise _odd_body(url, expected, f"{size:,} from {came:,} so far")
        yield chunk


def _odd_body(url: str, expected: str, found: str) -> FetchError:
    what = "The server sends no plain file"
    return FetchError(what, where=url, expected=expected, found=found, do=BY_HAND)


def _total_of_range(ask: Ask, headers: Mapping[str, str]) -> int | None:
    """Return the size of the whole, of a partial answer that is the one asked for."""
    text = headers.get("content-range", "")
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", text)
    if match and int(match[1]) == ask.start:
        total = int(match[3]) if match[3] != "*" else None
        ends = {ask.end, total} - {None} or {int(match[2]) + 1}
        if int(match[2]) + 1 in ends:
            return total
    last = "" if ask.end is None else ask.end - 1
    raise changed(ask.url, f"bytes {ask.start}-{last}", text or "no Content-Range")


@contextlib.contextmanager
def _open_file(ask: Ask) -> Iterator[Stream]:
    path = Path(url2pathname(urlsplit(ask.url).path))
    try:
        file = path.open("rb")
    except OSError as error:
        raise FetchError(
            f"{path.name} cannot be read",
            where=path,
            expected="a readable file",
            found=error.strerror,
            do="put the file there, or correct its address in the registry",
        ) from error
    with file:
        version = Version(ask.url, total=os.fstat(file.fileno()).st_size)
        if ask.end is None:
            yield Stream(ask.url, iter(lambda: file.read(CHUNK), b""), version)
        else:
            file.seek(ask.start)
            data = file.read(ask.end - ask.start)
            yield Stream(ask.url, iter([data]), version, partial=True)


def refuse_page(stream: Stream, name: str) -> Iterator[bytes]:
    """Refuse a login or error page, which often comes with status 200."""
    start = next(stream.chunks, b"")
    page = start.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if (page or "text/html" in stream.content_type) and ".htm" not in name:
        raise FetchError(
            f"A web page came instead of {name}",
            where=stream.url,
            expected="the file",
            found=f"{stream.content_type or 'HTML'}, beginning {bytes(start[:40])!r}",
            do=f"a login, a proxy or a moved file may be behind it: {BY_HAND}",
        )
    return chain([start] if start else [], stream.chunks)


def read_range(http: Http, version: Version, start: int, end: int) -> bytes:
    """Return the bytes of a range of a file that is still the one it was."""
    url, data = version.url, bytearray()
    with opening(http, Ask(url, start, end, version)) as stream:
        # A server that answers with the whole file has another version by now, or
        # cannot give ranges.
        if not stream.partial or stream.version != version:
            raise changed(url, f"bytes {start}-{end - 1}", "the whole file")
        for chunk in stream.chunks:
            data += chunk
            if len(data) > end - start:
                raise changed(url, f"{end - start:,} bytes", "more")
    if len(data) < end - start:
        raise changed(url, f"{end - start:,} bytes", f"{len(data):,} bytes")
    return bytes(data)


def retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, if it says so clearly.

    A date is compared with the server's own ``Date``: this machine's clock may be
    wrong, or jump.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        seconds = (until - parsedate_to_datetime(headers["date"])).total_seconds()
    except (ValueError, TypeError, KeyError):
        return None
    return max(0.0, seconds)


def failure(url: str, error: Exception, network: Network) -> FetchError:
    """Return what an exception of httpx means."""
    import httpx

    kinds: list[tuple[type[Exception], str, str | None, bool]] = [
        (httpx.ConnectTimeout, "The server does not answer",
         f"a connection within {network.connect:g} s", True),
        (httpx.TimeoutException, "The download stalled",
         f"some data at least every {network.read:g} s", True),
        (httpx.ConnectError, "The server cannot be reached", None, True),
        (httpx.TooManyRedirects, "The server redirects in a circle", None, False),
        (httpx.UnsupportedProtocol, "The server redirects to another protocol",
         "http:// or https://", False),
        (httpx.TransportError, "The download broke off", "the whole file", True),
        (Exception, "The download failed", None, False),
    ]  # fmt: skip
    what, expected, again = next(
        kind[1:] for kind in kinds if isinstance(error, kind[0])
    )
    return FetchError(
        what,
        where=url,
        expected=expected,
        found=str(error) or type(error).__name__,
        do=f"{BY_HAND}; what has arrived is kept, and a further attempt continues it",
        again=again,
    )


def persistently(
    attempt: Callable[[], T], http: Http, reached: Callable[[], int] = lambda: 0
) -> T:
    """Call until it works, or trying again is no use."""
    network, failures, before = http.network, 0, reached()
    while True:
        http.stop.check()
        try:
            return attempt()
        except FetchError as trouble:
            http.stop.check()
            if reached() >= before + _PROGRESS:
                failures, before = 0, reached()
            failures += 1
            if not trouble.again:
                raise
            note = f"{failures} attempts" if failures >= network.attempts else ""
            asked = trouble.wait or 0.0
            if asked > network.asked:
                note = note or f"the server asks to wait {asked:,.0f} s"
            if note:
                parts: dict[str, Any] = dict(trouble.parts)
                parts["found"] = f"{parts['found']} ({note})"
                raise FetchError(trouble.what, **parts) from trouble
            # A random share (at least half) of a doubling time, so that many clients
            # do not come back all at once. A server that says "now" gets it, too.
            doubled = network.first * 2.0 ** min(failures - 1, 30)
            pause = min(network.longest, doubled) * _RANDOM.uniform(0.5, 1)
            http.stop.wait(max(asked, pause))
