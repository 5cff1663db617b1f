"""Fetching one file: from its mirrors in turn, continued, hashed, verified.

Whether it must be fetched at all, :func:`mmclust.sources.verify.decide` says, and
:mod:`mmclust.sources.fetch` puts it in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.sources.asking import Ask, Timeouts
from mmclust.sources.attempts import Patience, persistently
from mmclust.sources.ranges import PIECE, in_parallel
from mmclust.sources.refusals import (
    DELETED,
    refuse_announced,
    refuse_page,
    refuse_short,
    wrong_size,
)
from mmclust.sources.transport import opening
from mmclust.sources.trouble import BY_HAND, FetchError, changed
from mmclust.sources.verify import decide, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mmclust.sources.asking import Http
    from mmclust.sources.parts import Part
    from mmclust.sources.transport import Stream


@dataclass(frozen=True)
class Network:
    """How the network is used; no result depends on it."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    patience: Patience = field(default_factory=Patience)
    connections: int = 4
    """At once: over files, and over ranges of a large file."""


@dataclass(frozen=True)
class Line:
    """What one download uses: connections, and patience."""

    http: Http
    patience: Patience
    connections: int = 1
    arrived: Callable[[int], object] = lambda _: None
    """Called with the number of bytes that came."""


def download(part: Part, line: Line) -> None:
    """Complete a part, from the first mirror that gives the right file."""
    file = part.source
    if file.digests and decide(file, part.facts) == "present":
        return
    failures: list[tuple[str, MmclustError]] = []
    for url in file.urls:
        try:
            persistently(
                lambda url=url: _attempt(part, url, line),  # type: ignore[misc]
                line.patience,
                reached=lambda: part.size,
                stop=line.http.stop,
            )
        except FetchError as trouble:
            failures.append((url, trouble))
        else:
            return
    if len(failures) == 1:
        raise failures[0][1]
    raise _no_mirror(file.name, failures)


def _attempt(part: Part, url: str, line: Line) -> None:
    """Ask once for what is missing, and verify the whole."""
    try:
        _receive(part, url, line)
        _verify(part, url)
    except FetchError as trouble:
        if trouble.stale:
            part.doubts += 1
            part.restart(None)
        raise


def _may_continue(part: Part, url: str) -> bool:
    """Say whether what has arrived can be the beginning of what the url gives."""
    version, file = part.version, part.source
    if not part.size or version is None or part.doubts > 1:
        return False
    if file.size is not None and part.size >= file.size:
        return False
    if version.url != url:
        return bool(file.digests)
    return bool(file.digests or version.validator)


def _receive(part: Part, url: str, line: Line) -> None:
    tail = part.tail() if _may_continue(part, url) else b""
    start = part.size - len(tail) if tail else 0
    ask = Ask(url, start, version=part.version if tail else None)
    with opening(line.http, ask, part.source.size) as stream:
        announced = stream.version.total
        # What arrived before is given up for nothing less than the file.
        chunks = refuse_page(stream, part.source.name)
        refuse_announced(part.source, announced, stream.url)
        if tail and stream.partial:
            part.continued = True
            chunks = _after(tail, chunks, url)
        else:
            part.restart(stream.version)
        part.over_http |= any(u.startswith("http:") for u in (url, stream.url))
        parallel = _worth_parallel(stream, part, line)
        _take(part, _some(chunks, PIECE) if parallel else chunks, line, stream.url)
    if parallel:
        part.continued = True
        rest = in_parallel(line.http, stream.version, part.size, line.connections)
        with rest as pieces:
            _take(part, pieces, line, stream.url)
    refuse_short(part, announced, url)


def _worth_parallel(stream: Stream, part: Part, line: Line) -> bool:
    total = stream.version.total
    return (
        line.connections > 1
        and not part.doubts
        and stream.ranges
        and total is not None
        and bool(part.source.digests)
        and total - part.size > 2 * PIECE
    )


def _some(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Pass on the first pieces, until they are ``size`` bytes or more."""
    for chunk in chunks:
        yield chunk
        size -= len(chunk)
        if size <= 0:
            return


def _take(part: Part, chunks: Iterator[bytes], line: Line, url: str) -> None:
    for chunk in chunks:
        line.http.stop.check()
        part.write(chunk)
        line.arrived(len(chunk))
        size = part.size
        if part.source.size is not None and size > part.source.size:
            part.restart(None)
            raise wrong_size(part.source, size, "received so far", url)


def _after(tail: bytes, chunks: Iterator[bytes], url: str) -> Iterator[bytes]:
    """Compare what was asked for again with what is there, then pass on the rest."""
    got = b""
    for chunk in chunks:
        got += chunk
        if len(got) >= len(tail):
            break
    if not got.startswith(tail):
        raise changed(url, "the bytes that came before", "other bytes")
    if len(got) > len(tail):
        yield got[len(tail) :]
    yield from chunks


def _verify(part: Part, url: str) -> None:
    file, facts = part.source, part.facts
    try:
        verify(file, facts, part.path, url, do=DELETED)
    except MmclustError as error:
        # Pieces of several answers may not have belonged together: once more, whole.
        again = part.continued
        part.restart(None)
        raise FetchError(error, again=again, stale=again) from error


def _no_mirror(name: str, failures: list[tuple[str, MmclustError]]) -> MmclustError:
    told = [f"{url}: {error.what} ({error.parts['found']})" for url, error in failures]
    return MmclustError(
        f"No mirror gives {name}",
        where="; ".join(url for url, _ in failures),
        expected="the file from one of them",
        found="; ".join(told),
        do=BY_HAND,
    )
