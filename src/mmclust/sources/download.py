"""Fetching one file: streamed to a private name, hashed on the way, then named.

Whether it must be fetched at all, :func:`mmclust.sources.verify.decide` says.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.sources.temporary import replacing
from mmclust.sources.transport import BY_HAND, open_url
from mmclust.sources.verify import Facts, hashers_of, track_bytes, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mmclust.sources.registry import SourceFile
    from mmclust.sources.transport import Stream, Timeouts

DELETED = "the wrong copy has been deleted"
_AGAIN = "fetch again; if it stays so, the file at its source has changed"


def download(
    file: SourceFile,
    path: Path,
    *,
    timeouts: Timeouts,
    before_replace: Callable[[], object],
) -> Facts:
    """Fetch a file and put it in place once it is known to be right.

    Parameters
    ----------
    file
        What to fetch, and what it must be.
    path
        Where to put it. What is there stays as it was until the new file has been
        verified.
    timeouts
        For servers.
    before_replace
        Called when the new file is verified, just before it replaces the old one.

    Returns
    -------
    Facts
        Size and digests.

    Raises
    ------
    MmclustError
        When the file cannot be had or is not what the registry says.
    """
    url = file.urls[0]
    with (
        open_url(url, timeouts) as stream,
        replacing(path, before_replace) as temporary,
    ):
        facts = receive(stream, temporary, file)
        verify(file, facts, temporary, url, do=f"{DELETED}; {_AGAIN}")
    return facts


def receive(stream: Stream, path: Path, file: SourceFile) -> Facts:
    """Write a stream to a file, hashing it on the way.

    Raises
    ------
    MmclustError
        When a web page comes instead of the file, or the size differs: as soon as
        the announced or received bytes exceed the registered ones.
    """
    hashers = hashers_of(file)
    size = 0
    total = file.size if stream.length is None else stream.length
    with path.open("wb") as target:
        for chunk in track_bytes(stream.chunks, f"fetching {file.name}", total):
            if size == 0:
                _refuse_page(stream, chunk, file)
                _refuse_size(file, stream.length, "announced", stream.url)
            size += len(chunk)
            if file.size is not None and size > file.size:
                _refuse_size(file, size, "received so far", stream.url)
            for hasher in hashers.values():
                hasher.update(chunk)
            target.write(chunk)
    _refuse_size(file, size, "received", stream.url)
    return Facts(size, {name: hasher.hexdigest() for name, hasher in hashers.items()})


def require_space(folder: Path, size: int, what: str) -> None:
    """Check the free space before anything is written.

    Parameters
    ----------
    folder
        Where ``size`` bytes are going to be written; it need not exist yet.
    what
        For the message.

    Raises
    ------
    MmclustError
        Saying how much is missing.
    """
    existing = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(existing).free
    if free < size:
        raise MmclustError(
            f"Not enough space for {what}",
            where=folder,
            expected=f"{size:,} bytes free",
            found=f"{free:,} bytes free, {size - free:,} too few",
            do="free some space, or choose another folder with --out",
        )


def _refuse_page(stream: Stream, start: bytes, file: SourceFile) -> None:
    """Refuse a login or error page, which often comes with status 200."""
    page = start.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if (page or "text/html" in stream.content_type) and ".htm" not in file.name:
        raise MmclustError(
            f"A web page came instead of {file.name}",
            where=stream.url,
            expected="the file",
            found=f"{stream.content_type or 'HTML'}, beginning {bytes(start[:40])!r}",
            do=f"a login, a proxy or a moved file may be behind it: {BY_HAND}",
        )


def _refuse_size(file: SourceFile, size: int | None, how: str, where: str) -> None:
    if size is not None and file.size not in (None, size):
        raise MmclustError(
            f"{file.name} has the wrong size",
            where=where,
            expected=f"{file.size:,} bytes",
            found=f"{size:,} bytes {how}",
            do=f"{DELETED}; {_AGAIN}",
        )
