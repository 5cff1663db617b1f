"""Opening a url as a stream of bytes: over http(s), or from a file.

This is the one place that knows about servers. It asks once: what to do after a
failure is its caller's business.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

BY_HAND = (
    "check the network and the address and try again, or download the file by hand "
    "and give its folder with --from"
)
_OK = 200


@dataclass(frozen=True)
class Timeouts:
    """How long a server may keep us waiting, in seconds."""

    connect: float = 10.0
    """Until it accepts the connection."""
    read: float = 60.0
    """Between two pieces of data."""


@dataclass(frozen=True)
class Stream:
    """A file on its way.

    Parameters
    ----------
    url
        Where it comes from, after redirects.
    chunks
        Its bytes, 1 MiB at a time.
    length
        Bytes the sender announced; ``None`` when it did not.
    content_type
        What the sender says it is; empty for a file.
    """

    url: str
    chunks: Iterator[bytes]
    length: int | None
    content_type: str = ""


@contextlib.contextmanager
def open_url(url: str, timeouts: Timeouts) -> Iterator[Stream]:
    """Open a url for reading.

    Parameters
    ----------
    url
        ``http://``, ``https://`` or ``file://``.
    timeouts
        For servers.

    Yields
    ------
    Stream
        Read it inside the block.

    Raises
    ------
    MmclustError
        When there is no such file, the server cannot be reached, refuses,
        redirects for ever, stalls, or breaks off.
    """
    opener = _open_file if urlsplit(url).scheme == "file" else _open_http
    with opener(url, timeouts) as stream:
        yield stream


@contextlib.contextmanager
def _open_file(url: str, _: Timeouts) -> Iterator[Stream]:
    path = Path(url2pathname(urlsplit(url).path))
    try:
        file = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error
    with file:
        yield Stream(url, _chunks(file, path), path.stat().st_size)


def _chunks(file: object, path: Path) -> Iterator[bytes]:
    try:
        while chunk := file.read(CHUNK):  # type: ignore[attr-defined]
            yield chunk
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> MmclustError:
    return MmclustError(
        f"{path.name} cannot be read",
        where=path,
        expected="a readable file",
        found=error.strerror or error,
        do="put the file there, or correct its address in the registry",
    )


@contextlib.contextmanager
def _open_http(url: str, timeouts: Timeouts) -> Iterator[Stream]:
    import httpx

    limits = httpx.Timeout(timeouts.read, connect=timeouts.connect)
    # Digests are of the file itself, so it must not be compressed on the way.
    headers = {"Accept-Encoding": "identity", "User-Agent": "mmclust"}
    try:
        with (
            httpx.Client(timeout=limits, follow_redirects=True) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            _refuse_status(url, response)
            yield Stream(
                str(response.url),
                response.iter_bytes(CHUNK),
                _length(response),
                response.headers.get("content-type", ""),
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _failed(url, error, timeouts) from error


def _length(response: httpx.Response) -> int | None:
    """Return the announced size; a server that compresses announces another."""
    length = response.headers.get("content-length", "")
    encoding = response.headers.get("content-encoding", "identity")
    return int(length) if length.isdigit() and encoding == "identity" else None


def _refuse_status(url: str, response: httpx.Response) -> None:
    if response.status_code != _OK:
        raise MmclustError(
            "The server did not give the file",
            where=url,
            expected="HTTP status 200",
            found=f"{response.status_code} {response.reason_phrase}".rstrip(),
            do=BY_HAND,
        )


def _failed(url: str, error: Exception, timeouts: Timeouts) -> MmclustError:
    import httpx

    kinds: list[tuple[type[Exception], str, str | None]] = [
        (httpx.ConnectTimeout, "The server does not answer",
         f"a connection within {timeouts.connect:g} s"),
        (httpx.TimeoutException, "The download stalled",
         f"some data at least every {timeouts.read:g} s"),
        (httpx.ConnectError, "The server cannot be reached", None),
        (httpx.TooManyRedirects, "The server redirects in a circle", None),
        (httpx.TransportError, "The download broke off", "the whole file"),
        (Exception, "The download failed", None),
    ]  # fmt: skip
    what, expected = next(
        (what, expected) for kind, what, expected in kinds if isinstance(error, kind)
    )
    return MmclustError(
        what,
        where=url,
        expected=expected,
        found=str(error) or type(error).__name__,
        do=f"{BY_HAND}; nothing of the broken download was kept",
    )
