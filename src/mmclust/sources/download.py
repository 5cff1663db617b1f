"""Fetching whole files: from their mirrors in turn, continued, verified, published.

A file is asked for, received into a part, verified, and put in place with the others
of its source. Whether it must be fetched at all, :func:`mmclust.sources.verify.present`
says.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, wait
from functools import partial
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, writing
from mmclust.core.progress import track
from mmclust.sources.http_request import (
    BY_HAND,
    Ask,
    FetchError,
    changed,
    connecting,
    opening,
    persistently,
    read_range,
    refuse_page,
)
from mmclust.sources.parts import TakenAwayError, part_of, require_space, work_folder
from mmclust.sources.stopping import Threads
from mmclust.sources.verify import difference, forget, verify

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from mmclust.core.registry import Source, SourceFile
    from mmclust.sources.http_request import Http, Network, Version
    from mmclust.sources.parts import Part

PIECE = 16 << 20  # bytes of a range; so many times the connections are held in memory
DELETED = (
    "the wrong copy has been deleted; fetch again; if it stays so, the file at its "
    "source has changed"
)
_TRIES = 8


def fetch_files(
    source: Source,
    wanted: list[SourceFile],
    out: Path,
    network: Network,
    *,
    alone: bool,
) -> list[Part]:
    """Fetch files, all verified before the first is put in place."""
    work = work_folder(out)
    for attempt in range(_TRIES if wanted else 0):
        try:
            # Who was robbed robs nobody: a run takes over once, so that all end.
            fresh = attempt > 0 or not alone
            with contextlib.ExitStack() as held:
                parts = [
                    held.enter_context(part_of(file, work, fresh=fresh))
                    for file in wanted
                ]
                missing = sum(max(0, (p.source.size or 0) - p.size) for p in parts)
                require_space(out, missing, f"the download of {source.name}")
                _complete(parts, network, source.tokens)
                for part in parts:
                    _publish(part, out / part.source.name)
                return parts
        except TakenAwayError as error:
            if attempt == _TRIES - 1:
                raise MmclustError(
                    "Another run keeps taking away what this one fetches",
                    where=work,
                    expected="file locks that work, or one run at a time",
                    do="run the command again when no other fetches there",
                ) from error
    return []


def _complete(parts: list[Part], network: Network, tokens: Mapping[str, str]) -> None:
    """Receive and verify several files at once; the first failure stops the others."""
    n_files = min(len(parts), network.connections)
    with (
        connecting(network, tokens) as http,
        Threads(n_files, "fetch") as threads,
    ):
        share = network.connections // n_files
        futures = [threads.submit(_download, part, http, share) for part in parts]
        total = sum(part.source.size or 0 for part in parts)
        arriving = _watch(futures, parts)
        try:
            for _ in track(arriving, "fetching", total // CHUNK or None, "MiB"):
                pass
        finally:
            http.stop.set()


def _watch(futures: list[Future[None]], parts: list[Part]) -> Iterator[None]:
    """Yield once per MiB that is there, until all is done or something failed."""
    shown, running = 0, set(futures)
    while running:
        _, running = wait(running, timeout=0.05, return_when=FIRST_EXCEPTION)
        for future in futures:
            if future.done():
                future.result()
        while shown + CHUNK <= sum(part.size for part in parts):
            shown += CHUNK
            yield


def _download(part: Part, http: Http, connections: int) -> None:
    """Complete a part, from the first mirror that gives the right file."""
    file = part.source
    if file.digests and difference(file, part.hashed) is None:
        return
    failures: list[tuple[str, FetchError]] = []
    for url in file.urls:
        attempt = partial(_receive_and_verify, part, url, http, connections)
        try:
            persistently(attempt, http, reached=lambda: part.size)
        except FetchError as trouble:
            failures.append((url, trouble))
        else:
            return
    if len(failures) == 1:
        raise failures[0][1]
    told = [f"{url}: {error.what} ({error.parts['found']})" for url, error in failures]
    raise MmclustError(
        f"No mirror gives {file.name}",
        where="; ".join(file.urls),
        expected="the file from one of them",
        found="; ".join(told),
        do=BY_HAND,
    )


def _receive_and_verify(part: Part, url: str, http: Http, connections: int) -> None:
    """Ask once for what is missing, and verify the whole."""
    try:
        _receive(part, url, http, connections)
    except FetchError as trouble:
        if trouble.stale:
            part.doubts += 1
            part.restart(None)
        raise
    except MmclustError as error:
        if os.path.lexists(part.path):
            raise
        raise TakenAwayError from error
    try:
        verify(part.source, part.hashed, part.file, url, do=DELETED)
    except MmclustError as error:
        # Pieces of several answers may not have belonged together: once more, whole.
        again = part.continued
        part.doubts += again
        part.restart(None)
        parts: dict[str, Any] = error.parts
        raise FetchError(error.what, again=again, **parts) from error


def _receive(part: Part, url: str, http: Http, connections: int) -> None:
    file = part.source
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
        parallel = (
            connections > 1
            and stream.ranges
            and not part.doubts
            and bool(file.digests)
            and announced is not None
            and announced - part.size > 2 * PIECE
        )
        until = part.size + PIECE if parallel else None
        _take(part, chunks, stream.url, http, until)
    if parallel:
        part.continued = True
        rest = _in_parallel(http, stream.version, part.size, connections)
        with contextlib.closing(rest):
            _take(part, rest, stream.url, http)
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
    return bool(file.digests or (version.url == url and version.validator))


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


def _in_parallel(
    http: Http, version: Version, start: int, connections: int
) -> Generator[bytes, None, None]:
    """Yield the rest of a file in order, fetched over several connections."""
    assert version.total is not None
    starts = deque(range(start, version.total, PIECE))
    threads = Threads(connections, "range")
    running: deque[Future[bytes]] = deque()
    try:
        while starts or running:
            while starts and len(running) <= connections:
                at = starts.popleft()
                end = min(at + PIECE, version.total)
                running.append(threads.submit(read_range, http, version, at, end))
            yield running.popleft().result()
    finally:
        # A piece that stalls is not waited for: whoever tries again asks anew.
        threads.close()


def _take(
    part: Part,
    chunks: Iterator[bytes],
    url: str,
    http: Http,
    until: int | None = None,
) -> None:
    """Append what comes to the part, all of it or so many bytes."""
    file = part.source
    for chunk in chunks:
        http.stop.check()
        part.write(chunk)
        size = part.size
        if file.size is not None and size > file.size:
            part.restart(None)
            raise _wrong_size(file, f"{size:,} bytes received so far", url)
        if until is not None and size >= until:
            return


def _wrong_size(file: SourceFile, found: str, url: str) -> FetchError:
    return FetchError(
        f"{file.name} has the wrong size",
        where=url,
        expected=f"{file.size:,} bytes",
        found=found,
        do=DELETED,
    )


def _publish(part: Part, path: Path) -> None:
    """Give a verified part its name."""
    with writing(path) as temporary:
        try:
            part.path.rename(temporary)
        except FileNotFoundError as error:
            raise TakenAwayError from error
        except OSError as error:
            raise MmclustError(
                f"Cannot write {path.name}",
                where=path,
                found=error.strerror,
                do="run the command again; what was there before is untouched",
            ) from error
        forget(path.parent)
    part.note.unlink(missing_ok=True)
