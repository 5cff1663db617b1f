"""Saying what is wrong with a file that should be JSON and is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmclust.benchmarks._raw import Buffer

_OPENINGS = {
    b"\xef\xbb\xbf": "it begins with a byte order mark; save it as UTF-8 without one",
    b"\xff\xfe": "it is UTF-16; save it as UTF-8",
    b"\xfe\xff": "it is UTF-16; save it as UTF-8",
    b"<": "it is a web page or XML",
}
_NUMBER = re.compile(rb"-?(NaN|Infinity)")
# Half of a pair of \u escapes, which no text holds; an escaped backslash is none.
_HALF = re.compile(
    rb"(?<!\\)(?:\\\\)*(?:(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})(\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)


def shown(value: Any) -> str:
    """Return a value for a message; a list's text could be deeper than Python goes."""
    plain = value is None or isinstance(value, bool | int | float | str | bytes)
    return repr(value)[:80] if plain else type(value).__name__


def what_is_wrong(buffer: Buffer, error: Exception) -> str:
    """Return what a known kind of broken JSON is, in parentheses, or nothing.

    Parameters
    ----------
    buffer
        The file.
    error
        What the decoder raised.
    """
    if isinstance(error, RecursionError):
        return " (lists or objects are nested too deep)"
    start = bytes(buffer[:3])
    for opening, meaning in _OPENINGS.items():
        if start.startswith(opening):
            return f" ({meaning})"
    if isinstance(error, UnicodeDecodeError):
        return " (it is not UTF-8)"
    place = re.search(r"byte (\d+)", str(error))
    if place is not None:
        at = max(int(place[1]) - 1, 0)
        number = _NUMBER.search(bytes(buffer[at : at + 10]))
        if number is not None:
            return f" ({number[0].decode()} is no number in JSON; use null)"
    half = _HALF.search(buffer)
    if half is not None:
        found = (half[1] or half[2]).decode()
        return f" ({found} is half of a surrogate pair, which is no character)"
    return ""
