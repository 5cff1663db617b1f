"""What was derived of git's blobs, kept from one run to the next; never needed.

It is one file in git's own folder, which worktrees share. A blob never changes, so
what is derived of it holds as long as the code does: the file begins with a digest of
both. One that is missing, damaged or of other code counts as empty, and is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import zlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core import yaml_file
from mmclust.core.errors import MmclustError
from mmclust.core.io import write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "mmclust/board"
"""In git's folder."""
LIMIT = 1 << 25
"""Characters at most, before they are packed; what was not used for longest goes."""
DIGITS = 64
"""Of the digest that it begins with."""
CODE = (*sorted(Path(__file__).parent.glob("*.py")), Path(yaml_file.__file__))


@dataclass
class Cache:
    """JSON values by kind and blob; without a path nothing is kept."""

    path: Path | None = None
    _texts: dict[str, str] = field(default_factory=dict)  # last used last
    _grown: bool = False

    def __post_init__(self) -> None:
        """Read what an earlier run kept."""
        if self.path is not None:
            self._texts = _read(self.path)

    def of(self, kind: str, blob: str, make: Callable[[], Any]) -> Any:
        """Return what is kept of a blob; else make it, and keep it."""
        name = f"{kind} {blob}"
        if name in self._texts:
            text = self._texts[name] = self._texts.pop(name)
            return json.loads(text)
        value = make()
        if self.path is not None:
            with contextlib.suppress(ValueError):  # NaN, which equals nothing
                self._texts[name] = json.dumps(value, allow_nan=False)
                self._grown = True
        return value

    def save(self) -> None:
        """Write what is new; where that cannot be, the next run makes it again."""
        if self.path is None or not self._grown:
            return
        kept: list[str] = []
        room = LIMIT
        for name, text in reversed(self._texts.items()):
            line = f"{name}\t{text}"
            room -= len(line)
            if room < 0:
                break
            kept.append(line)
        body = zlib.compress("\n".join(reversed(kept)).encode(), 1)
        with contextlib.suppress(MmclustError):
            write_bytes(self.path, _head(body) + body)


def _read(path: Path) -> dict[str, str]:
    try:
        head, body = (data := path.read_bytes())[:DIGITS], data[DIGITS:]
    except OSError:
        return {}
    if head != _head(body):
        return {}
    lines = zlib.decompress(body).decode().split("\n")
    return dict(line.split("\t", 1) for line in lines if line)


def _head(body: bytes) -> bytes:
    """Return the digest of the code and of what it wrote."""
    return hashlib.sha256(_code() + body).hexdigest().encode()


@cache
def _code() -> bytes:
    return b"".join(hashlib.sha256(path.read_bytes()).digest() for path in CODE)
