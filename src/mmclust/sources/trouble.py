"""What can go wrong at a server, in words, and whether trying again can help."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    import httpx

    from mmclust.sources.asking import Timeouts

BY_HAND = (
    "check the network and the address and try again, or download the file by hand "
    "and give its folder with --from"
)
_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses of servers that may do better soon."""


class FetchError(MmclustError):
    """A download failed.

    Parameters
    ----------
    error
        What to tell the user.
    again
        Whether the same request may succeed a little later.
    wait
        Seconds the server asked us to wait.
    stale
        Whether what has arrived before may not belong to what the server has.
    """

    def __init__(
        self,
        error: MmclustError,
        *,
        again: bool = False,
        wait: float | None = None,
        stale: bool = False,
    ) -> None:
        super().__init__(error.what, **error.parts)  # type: ignore[arg-type]
        self.again = again
        self.wait = wait
        self.stale = stale


def status_trouble(url: str, response: httpx.Response) -> FetchError:
    """Return what a status other than 200 and 206 means."""
    code = response.status_code
    advice = {
        401: "the source needs a token: see `mmclust sources show`",
        403: "the source may need a token or accepted terms on its own page: see "
        "`mmclust sources show`",
    }
    error = MmclustError(
        "The server did not give the file",
        where=url,
        expected="HTTP status 200",
        found=f"{code} {response.reason_phrase}".rstrip(),
        do=f"{advice[code]}; or {BY_HAND}" if code in advice else BY_HAND,
    )
    wait = retry_after(response.headers)
    return FetchError(error, again=code in _PASSING, wait=wait)


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


def failure(url: str, error: Exception, timeouts: Timeouts) -> FetchError:
    """Return what an exception of httpx means."""
    import httpx

    kinds: list[tuple[type[Exception], str, str | None, bool]] = [
        (httpx.ConnectTimeout, "The server does not answer",
         f"a connection within {timeouts.connect:g} s", True),
        (httpx.TimeoutException, "The download stalled",
         f"some data at least every {timeouts.read:g} s", True),
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
    told = MmclustError(
        what,
        where=url,
        expected=expected,
        found=str(error) or type(error).__name__,
        do=f"{BY_HAND}; what has arrived is kept, and a further attempt continues it",
    )
    return FetchError(told, again=again)


def changed(url: str, expected: object, found: object) -> FetchError:
    """Return that the remote file is no longer the one a part belongs to."""
    error = MmclustError(
        "The file changed while it was being fetched",
        where=url,
        expected=expected,
        found=found,
        do="fetch again; if it stays so, the server is not to be relied on",
    )
    return FetchError(error, again=True, stale=True)
