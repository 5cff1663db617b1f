"""Trying again: how often, and how long to wait in between."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mmclust.core.errors import MmclustError
from mmclust.sources.trouble import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mmclust.sources.stopping import Stop

T = TypeVar("T")
PROGRESS = 1 << 20
"""Bytes after which a server that breaks off counts as one that works."""
# Only for the waiting: no result depends on it.
_RANDOM = secrets.SystemRandom()


@dataclass(frozen=True)
class Patience:
    """How long one server is tried; times in seconds."""

    attempts: int = 5
    """In a row without progress."""
    first: float = 1.0
    """The first wait, at most; it doubles from then on."""
    longest: float = 60.0
    """A wait of our own."""
    asked: float = 300.0
    """A wait that the server asks for; if it asks for more, we give up."""


def pause(failures: int, patience: Patience) -> float:
    """Return how long to wait after so many failures in a row.

    A random share (at least half) of a doubling time, so that many clients do not
    come back all at once.
    """
    doubled = patience.first * 2.0 ** min(failures - 1, 30)
    return min(patience.longest, doubled) * (0.5 + 0.5 * _RANDOM.random())


def persistently(
    attempt: Callable[[], T],
    patience: Patience,
    *,
    reached: Callable[[], int],
    stop: Stop,
) -> T:
    """Call until it works, or trying again is no use."""
    failures, before = 0, reached()
    while True:
        stop.check()
        try:
            return attempt()
        except FetchError as trouble:
            stop.check()
            if reached() >= before + PROGRESS:
                failures, before = 0, reached()
            failures += 1
            if not trouble.again:
                raise
            if failures >= patience.attempts:
                raise _given_up(trouble, f"{failures} attempts") from trouble
            asked = trouble.wait
            if asked is not None and asked > patience.asked:
                note = f"the server asks to wait {asked:,.0f} s"
                raise _given_up(trouble, note) from trouble
            # A server that says "now" is still given our own pause.
            stop.wait(max(asked or 0.0, pause(failures, patience)))


def _given_up(trouble: FetchError, note: str) -> FetchError:
    parts = {**trouble.parts, "found": f"{trouble.parts['found']} ({note})"}
    return FetchError(MmclustError(trouble.what, **parts))  # type: ignore[arg-type]
