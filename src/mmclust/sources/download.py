"""Fetching whole files: from their mirrors in turn, continued, verified, published.

A file is asked for, received into a part, verified, and put in place with the others
of its source. Whether it must be fetched at all, :func:`mmclust.sources.verify.decide`
says.
"""

from __future__ import annotations

import contextlib
import os
import queue
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, writing
from mmclust.core.progress import track
from mmclust.sources.http_request import (
    BY_HAND,
    Ask,
    FetchError,
    Patience,
    Timeouts,
    changed,
    connecting,
    opening,
    persistently,
    read_range,
    refuse_page,
)
from mmclust.sources.parts import (
    n_arrived,
    part_of,
    require_space,
    tidy,
    work_folder,
)
from mmclust.sources.stopping import Threads
from mmclust.sources.verify import decide, forget, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from mmclust.core.registry import SourceFile
    from mmclust.sources.http_request import Http, Stream, Version
    from mmclust.sources.parts import Part
    from mmclust.sources.verify import Facts

PIECE = 16 << 20  # bytes of a range; so many times the connections are held in memory
DELETED = (
    "the wrong copy has been deleted; fetch again; if it stays so, the file at its "
    "source has changed"
)
_TRIES = 8


@dataclass(frozen=True)
class Network:
    """How the network is used; no result depends on it."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    patience: Patience = field(default_factory=Patience)
    connections: int = 4  # at once: over files, and over ranges of a large file


@dataclass(frozen=True)
class _Way:
    """How the files of one run come."""

    http: Http
    patience: Patience
    connections: int  # of each file
    arrived: Callable[[int], object]  # hears of bytes


class _TakenAwayError(Exception):
    """Another run took a part over, or tidied it away: locks do not work here."""


def fetch_files(
    wanted: list[SourceFile],
    out: Path,
    network: Network,
    tokens: Mapping[str, str],
    what: str,
) -> dict[str, Facts]:
    """Fetch files, all verified before the first is put in place."""
    if not wanted:
        return {}
    work = work_folder(out)
    missing = sum(max(0, (f.size or 0) - n_arrived(work, f.name)) for f in wanted)
    require_space(out, missing, what)
    facts: dict[str, Facts] = {}
    for attempt in range(_TRIES):
        try:
            # Who was robbed robs nobody: a run takes over once, so that all end.
            facts = _fetch_together(
                wanted, out, work, network, tokens, fresh=attempt > 0
            )
            break
        except _TakenAwayError as error:
            if attempt == _TRIES - 1:
                raise MmclustError(
                    "Another run keeps taking away what this one fetches",
                    where=work,
                    expected="file locks that work, or one run at a time",
                    do="run the command again when no other fetches there",
                ) from error
    tidy(work, [file.name for file in wanted])
    return facts


def _fetch_together(
    wanted: list[SourceFile],
    out: Path,
    work: Path,
    network: Network,
    tokens: Mapping[str, str],
    *,
    fresh: bool,
) -> dict[str, Facts]:
    n_files = min(len(wanted), max(1, network.connections))
    share = max(1, network.connections // n_files)
    ticks: queue.Queue[int] = queue.Queue()
    with (
        contextlib.ExitStack() as held,
        connecting(network.timeouts, tokens) as http,
        Threads(n_files, "fetch") as threads,
    ):
        parts = [
            held.enter_context(part_of(file, work, fresh=fresh)) for file in wanted
        ]
        way = _Way(http, network.patience, share, ticks.put)
        futures = [threads.submit(_download, part, way) for part in parts]
        try:
            total = sum(file.size or 0 for file in wanted)
            arriving = _watch(futures, ticks)
            for _ in track(arriving, "fetching", total // CHUNK or None, "MiB"):
                pass
        finally:
            http.stop.set()
        facts = {part.source.name: part.facts for part in parts}
        for part in parts:
            _publish(part, out / part.source.name)
    return facts


def _watch(futures: list[Future[None]], ticks: queue.Queue[int]) -> Iterator[None]:
    """Yield once per MiB that arrived, until all is done or something failed."""
    n_bytes = 0
    while True:
        with contextlib.suppress(queue.Empty):
            n_bytes += ticks.get(timeout=0.05)
        while n_bytes >= CHUNK:
            n_bytes -= CHUNK
            yield
        for future in futures:
            if future.done():
                future.result()
        if all(future.done() for future in futures):
            return


def _download(part: Part, way: _Way) -> None:
    """Complete a part, from the first mirror that gives the right file."""
    file = part.source
    if file.digests and decide(file, part.facts) == "present":
        return
    failures: list[tuple[str, MmclustError]] = []
    for url in file.urls:

        def attempt(url: str = url) -> None:
            _receive_and_verify(part, url, way)

        try:
            stop = way.http.stop
            persistently(attempt, way.patience, stop, reached=lambda: part.size)
        except FetchError as trouble:
            failures.append((url, trouble))
        else:
            return
    if len(failures) == 1:
        raise failures[0][1]
    told = [f"{url}: {error.what} ({error.parts['found']})" for url, error in failures]
    raise MmclustError(
        f"No mirror gives {file.name}",
        where="; ".join(url for url, _ in failures),
        expected="the file from one of them",
        found="; ".join(told),
        do=BY_HAND,
    )


def _receive_and_verify(part: Part, url: str, way: _Way) -> None:
    """Ask once for what is missing, and verify the whole."""
    try:
        _receive(part, url, way)
        _verify(part, url)
    except FetchError as trouble:
        if trouble.stale:
            part.doubts += 1
            part.restart(None)
        raise
    except MmclustError as error:
        if os.path.lexists(part.path):
            raise
        raise _TakenAwayError from error


def _receive(part: Part, url: str, way: _Way) -> None:
    file, http = part.source, way.http
    tail = part.tail() if _may_continue(part, url) else b""
    start = part.size - len(tail) if tail else 0
    ask = Ask(url, start, version=part.version if tail else None)
    with opening(http, ask, file.size) as stream:
        announced = stream.version.total
        # What arrived before is given up for nothing less than the file.
        chunks = refuse_page(stream, file.name)
        if announced is not None and file.size not in (None, announced):
            raise _wrong_size(file, f"{announced:,} bytes announced", stream.url)
        if tail and stream.partial:
            part.continued = True
            chunks = _after(tail, chunks, url)
        else:
            part.restart(stream.version)
        part.over_http |= any(u.startswith("http:") for u in (url, stream.url))
        parallel = way.connections > 1 and _worth_parallel(part, stream)
        chunks = _some(chunks, PIECE) if parallel else chunks
        _take(part, chunks, stream.url, way)
    if parallel:
        part.continued = True
        rest = _in_parallel(http, stream.version, part.size, way.connections)
        with contextlib.closing(rest):
            _take(part, rest, stream.url, way)
    wanted = file.size if announced is None else announced
    if wanted is not None and part.size < wanted:
        # The body ended early without the connection saying so.
        raise FetchError(
            "The download broke off",
            where=url,
            expected=f"{wanted:,} bytes",
            found=f"{part.size:,} bytes",
            do=BY_HAND,
            again=True,
        )


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


def _worth_parallel(part: Part, stream: Stream) -> bool:
    total = stream.version.total
    return (
        not part.doubts
        and stream.ranges
        and total is not None
        and bool(part.source.digests)
        and total - part.size > 2 * PIECE
    )


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


def _some(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Pass on the first pieces, until they are ``size`` bytes or more."""
    for chunk in chunks:
        yield chunk
        size -= len(chunk)
        if size <= 0:
            return


def _in_parallel(
    http: Http, version: Version, start: int, connections: int
) -> Generator[bytes, None, None]:
    """Yield the rest of a file in order, fetched over several connections."""
    total = version.total
    assert total is not None
    asks = deque(
        Ask(version.url, at, min(at + PIECE, total), version)
        for at in range(start, total, PIECE)
    )
    threads = Threads(connections, "range")
    running: deque[Future[bytes]] = deque()
    try:
        while asks or running:
            while asks and len(running) <= connections:
                running.append(threads.submit(read_range, http, asks.popleft()))
            yield running.popleft().result()
    finally:
        # A piece that stalls is not waited for: whoever tries again asks anew.
        threads.close()


def _take(part: Part, chunks: Iterator[bytes], url: str, way: _Way) -> None:
    file = part.source
    for chunk in chunks:
        way.http.stop.check()
        part.write(chunk)
        way.arrived(len(chunk))
        size = part.size
        if file.size is not None and size > file.size:
            part.restart(None)
            raise _wrong_size(file, f"{size:,} bytes received so far", url)


def _wrong_size(file: SourceFile, found: str, url: str) -> FetchError:
    return FetchError(
        f"{file.name} has the wrong size",
        where=url,
        expected=f"{file.size:,} bytes",
        found=found,
        do=DELETED,
    )


def _verify(part: Part, url: str) -> None:
    try:
        verify(part.source, part.facts, part.path, url, do=DELETED)
    except MmclustError as error:
        # Pieces of several answers may not have belonged together: once more, whole.
        again = part.continued
        part.restart(None)
        parts: dict[str, Any] = error.parts
        raise FetchError(error.what, again=again, stale=again, **parts) from error


def _publish(part: Part, path: Path) -> None:
    """Give a verified part its name."""
    if not os.path.lexists(part.path):
        raise _TakenAwayError
    note = part.path.with_suffix(".json")
    with writing(path) as temporary:
        try:
            part.path.rename(temporary)
        except FileNotFoundError as error:
            raise _TakenAwayError from error
        except OSError as error:
            raise MmclustError(
                f"Cannot write {path.name}",
                where=path,
                found=error.strerror,
                do="run the command again; what was there before is untouched",
            ) from error
        forget(path.parent)
    note.unlink(missing_ok=True)
