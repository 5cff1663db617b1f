"""What may be a name: it becomes a part of paths and a word of a command."""

from __future__ import annotations

import re

from mmclust.core.errors import MmclustError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST = 100


def require_name(name: object, what: str, where: object) -> str:
    """Return a name that is safe as a file's name and on a command line."""
    if (
        isinstance(name, str)
        and _NAME.fullmatch(name)
        and not name.endswith(".")
        and len(name) <= _LONGEST
    ):
        return name
    shown = repr(name)
    raise MmclustError(
        f"The name of {what} cannot be used",
        where=where,
        expected="letters, digits, _, - and . only, first a letter or a digit: names "
        "become folders and words of commands",
        found=shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…",
        do="choose another name",
    )
