"""One error type that says what, where, expected, found and what to do."""

from __future__ import annotations

import difflib
import re
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class MmclustError(Exception):
    """The user's input or environment is not what it must be.

    The command line prints it without a traceback and ends with exit code 1: ``what``
    is wrong, in one sentence; ``where`` (file, key, row or option); what was
    ``expected`` and ``found`` there; what the user can ``do`` next.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        found: object = None,
        do: str | None = None,
    ) -> None:
        self.what = what
        self.parts: dict[str, Any] = {
            "where": where,
            "expected": expected,
            "found": found,
            "do": do,
        }
        super().__init__(str(self))

    def __str__(self) -> str:
        # Servers, archives and files of others have their say in these.
        lines = [visible(self.what).replace("\n", "\\n")]
        lines += [
            f"  {name + ':':<10}" + visible(value).replace("\n", "\n" + " " * 12)
            for name, value in self.parts.items()
            if value is not None
        ]
        return "\n".join(lines)

    def replace(self, old: str, new: str) -> None:
        """Name a place otherwise: as the user does, not by its private copy."""
        self.what = self.what.replace(old, new)
        self.parts = {
            key: None if value is None else str(value).replace(old, new)
            for key, value in self.parts.items()
        }

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries; keyword arguments need their own way.
        return partial(MmclustError, self.what, **self.parts), ()


_ACTING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What a terminal obeys or turns around, and what it cannot show at all."""


def visible(text: object) -> str:
    r"""Return text that a terminal only shows: other characters are spelled out.

    Tabs and line ends stay. An escape becomes ``\x1b``, so that no server or file can
    move the cursor, hide what was printed, or write to the window's title.
    """
    return _ACTING.sub(
        lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(),
        str(text),
    )


LISTED = 40
"""Names of what is known that an error gives, at most."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``"one of: hog, lsa. Did you mean 'hog'?"``."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    return f"one of: {some(names, LISTED) or '(none)'}{hint}"


def some(items: Iterable[object], limit: int = 5) -> str:
    """Return the first few items as text, with a count of the rest."""
    listed = [str(item) for item in items]
    shown = ", ".join(listed[:limit])
    rest = len(listed) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown
