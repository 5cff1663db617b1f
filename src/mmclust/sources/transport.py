"""Opening a url as a stream of bytes: over http(s), or from a file.

This is the one place that knows about servers. It asks once: what to do after a
failure is its caller's business.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK
from mmclust.sources.asking import Ask, Http, Timeouts, Version, headers_of
from mmclust.sources.trouble import (
    BY_HAND,
    FetchError,
    changed,
    failure,
    status_trouble,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

_OK, _PART, _BEYOND = 200, 206, 416
_ANY_HEADER = zlib.MAX_WBITS | 32
"""For zlib: gzip's header, or its own."""
_RATIO = 200
"""Beyond it a compressed body of unknown size is taken for a bomb."""
_LARGEST = 4 << 30
"""Bytes of a body whose size neither the registry nor the server states."""


@dataclass(frozen=True)
class Stream:
    """A file on its way.

    Parameters
    ----------
    url
        Where it comes from, after redirects.
    chunks
        Its bytes, in pieces of at most 1 MiB.
    version
        Which file it is; ``total`` is the announced size.
    start
        Offset of the first byte in the whole file.
    content_type
        What the sender says it is; empty for a file.
    ranges
        Whether the sender says that parts can be had.
    """

    url: str
    chunks: Iterator[bytes]
    version: Version
    start: int = 0
    content_type: str = ""
    ranges: bool = False
    partial: bool = False
    """Whether it is a part of the file, from ``start`` on."""


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
            yield _stream(http, ask, response, n_expected)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise failure(ask.url, error, http.timeouts) from error


def _stream(
    http: Http, ask: Ask, response: httpx.Response, n_expected: int | None
) -> Stream:
    if response.status_code == _BEYOND:
        raise changed(ask.url, f"at least {ask.start:,} bytes", "a shorter file")
    if response.status_code not in {_OK, _PART}:
        raise status_trouble(ask.url, response)
    headers = response.headers
    length = headers.get("content-length", "")
    total = int(length) if length.isdigit() else None
    encoding = headers.get("content-encoding", "identity").strip().lower()
    encoded = encoding != "identity"
    chunks = response.iter_raw()
    if encoded and (total is None or total != n_expected):
        chunks, total = _unpacked(chunks, encoding, ask.url, n_expected), None
    if total is None and n_expected is None:
        chunks = _capped(chunks, ask.url)
    start = 0
    if response.status_code == _PART:
        start, total = _range(ask, headers)
    version = Version(
        ask.url, headers.get("etag", ""), headers.get("last-modified", ""), total
    )
    if response.status_code == _PART:
        _refuse_other(ask, version)
    return Stream(
        str(response.url),
        _paced(chunks, ask.url, http.timeouts),
        version,
        start,
        headers.get("content-type", ""),
        headers.get("accept-ranges", "") == "bytes" and not encoded,
        response.status_code == _PART,
    )


def _unpacked(
    chunks: Iterator[bytes], encoding: str, url: str, n_expected: int | None
) -> Iterator[bytes]:
    """Unpack what is compressed on the way, a MiB at a time.

    Where nobody knows the file's size, it may not become much larger than it came.
    """
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise _odd_body(url, "the file's own bytes", f"Content-Encoding: {encoding}")
    decoder, came, made = zlib.decompressobj(_ANY_HEADER), 0, 0
    for chunk in chunks:
        came, rest = came + len(chunk), chunk
        while rest:
            if decoder.eof:  # gzip may have several members
                decoder = zlib.decompressobj(_ANY_HEADER)
            try:
                piece = decoder.decompress(rest, CHUNK)
            except zlib.error as error:
                raise _damaged_body(url, error) from error
            rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
            made += len(piece)
            if n_expected is None and made > max(CHUNK, _RATIO * came):
                expected = f"at most {_RATIO} bytes for each compressed byte"
                raise _odd_body(url, expected, f"{made:,} bytes from {came:,} so far")
            if piece:
                yield piece
    if not decoder.eof:
        raise _damaged_body(url, f"it ends after {came:,} compressed bytes")


def _capped(chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """Refuse a body that goes on and on, where neither side says how long it is."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > _LARGEST:
            raise _odd_body(url, f"at most {_LARGEST:,} bytes", f"{size:,} so far")
        yield chunk


def _odd_body(url: str, expected: str, found: str) -> FetchError:
    error = MmclustError(
        "The server sends no plain file",
        where=url,
        expected=expected,
        found=found,
        do=BY_HAND,
    )
    return FetchError(error)


def _damaged_body(url: str, found: object) -> FetchError:
    error = MmclustError(
        "The download is damaged",
        where=url,
        expected="data compressed as the server says",
        found=found,
        do=BY_HAND,
    )
    return FetchError(error, again=True)


def _range(ask: Ask, headers: Mapping[str, str]) -> tuple[int, int | None]:
    """Return (start, size of the whole) of a partial answer, if it is the asked."""
    text = headers.get("content-range", "")
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", text)
    if match and int(match[1]) == ask.start:
        total = int(match[3]) if match[3] != "*" else None
        ends = {ask.end, total} - {None} or {int(match[2]) + 1}
        if int(match[2]) + 1 in ends:
            return ask.start, total
    last = "" if ask.end is None else ask.end - 1
    raise changed(ask.url, f"bytes {ask.start}-{last}", text or "no Content-Range")


def _refuse_other(ask: Ask, found: Version) -> None:
    """Refuse a range of a file that is not the one it would continue."""
    asked = ask.version
    if asked is None or asked.url != ask.url:
        return
    for name in ("etag", "modified", "total"):
        before, now = getattr(asked, name), getattr(found, name)
        if before and now and before != now:
            raise changed(ask.url, f"{name} {before}", f"{name} {now}")


def _paced(chunks: Iterator[bytes], url: str, timeouts: Timeouts) -> Iterator[bytes]:
    """Pass the data on while it comes fast enough."""
    since, received = time.monotonic(), 0
    for chunk in chunks:
        received += len(chunk)
        yield chunk
        now = time.monotonic()
        if now - since > timeouts.read:
            if received < timeouts.slowest * (now - since):
                error = MmclustError(
                    "The download stalled",
                    where=url,
                    expected=f"at least {timeouts.slowest:g} bytes per second",
                    found=f"{received:,} bytes in {now - since:.0f} s",
                    do="try again later, or use another network",
                )
                raise FetchError(error, again=True)
            since, received = now, 0


@contextlib.contextmanager
def _open_file(ask: Ask) -> Iterator[Stream]:
    path = Path(url2pathname(urlsplit(ask.url).path))
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            version = Version(ask.url, total=size)
            if ask.end is None:
                chunks = iter(lambda: file.read(CHUNK), b"")
                yield Stream(ask.url, chunks, version)
            else:
                file.seek(ask.start)
                data = file.read(ask.end - ask.start)
                chunks = iter([data] if data else [])
                yield Stream(ask.url, chunks, version, ask.start, partial=True)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        if error.filename != str(path):
            raise
        told = MmclustError(
            f"{path.name} cannot be read",
            where=path,
            expected="a readable file",
            found=error.strerror,
            do="put the file there, or correct its address in the registry",
        )
        raise FetchError(told) from error
