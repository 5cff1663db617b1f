"""What is not taken from a server, whatever status it comes with."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.sources.trouble import BY_HAND, FetchError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mmclust.core.registry import SourceFile
    from mmclust.sources.parts import Part
    from mmclust.sources.transport import Stream

DELETED = (
    "the wrong copy has been deleted; fetch again; if it stays so, the file at its "
    "source has changed"
)


def refuse_page(stream: Stream, name: str) -> Iterator[bytes]:
    """Refuse a login or error page, which often comes with status 200."""
    start = next(stream.chunks, b"")
    page = start.lstrip().lower().startswith((b"<!doctype html", b"<html"))
    if (page or "text/html" in stream.content_type) and ".htm" not in name:
        error = MmclustError(
            f"A web page came instead of {name}",
            where=stream.url,
            expected="the file",
            found=f"{stream.content_type or 'HTML'}, beginning {bytes(start[:40])!r}",
            do=f"a login, a proxy or a moved file may be behind it: {BY_HAND}",
        )
        raise FetchError(error)
    return chain([start] if start else [], stream.chunks)


def refuse_announced(file: SourceFile, announced: int | None, url: str) -> None:
    """Refuse a file whose announced size is not the registered one."""
    if announced is not None and file.size not in (None, announced):
        raise wrong_size(file, announced, "announced", url)


def refuse_short(part: Part, announced: int | None, url: str) -> None:
    """Refuse a body that ended early without the connection saying so."""
    wanted = part.source.size if announced is None else announced
    if wanted is not None and part.size < wanted:
        error = MmclustError(
            "The download broke off",
            where=url,
            expected=f"{wanted:,} bytes",
            found=f"{part.size:,} bytes",
            do=BY_HAND,
        )
        raise FetchError(error, again=True)


def wrong_size(file: SourceFile, size: int, how: str, url: str) -> FetchError:
    """Return the refusal of a file that has another size than registered."""
    error = MmclustError(
        f"{file.name} has the wrong size",
        where=url,
        expected=f"{file.size:,} bytes",
        found=f"{size:,} bytes {how}",
        do=DELETED,
    )
    return FetchError(error)


def refuse_broken(name: str, body: bytes, url: str) -> None:
    """Refuse a picture that does not begin and end as a JPEG does."""
    end = body.rstrip(b"\0")[-2:]
    if not body.startswith(b"\xff\xd8") or end != b"\xff\xd9":
        error = MmclustError(
            f"{name} is no whole JPEG",
            where=url,
            expected="a file from ff d8 to ff d9",
            found=f"{len(body):,} bytes, from {body[:2].hex(' ')} to {end.hex(' ')}",
            do="fetch again",
        )
        raise FetchError(error, again=True)
