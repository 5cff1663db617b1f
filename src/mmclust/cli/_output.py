"""Standard output on which names and texts of others only show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TextIO

from mmclust.core.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")


class ShownOutput:
    """A stream that spells out what a terminal would obey; tables keep their colours.

    Class names, file names and captions come from data of others, in every command:
    so they are treated here, and not wherever one is printed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, made visible; return its length, as streams do."""
        parts = _COLOUR.split(text)
        parts[::2] = map(visible, parts[::2])
        self._stream.write("".join(parts))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines; see :meth:`write`."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
