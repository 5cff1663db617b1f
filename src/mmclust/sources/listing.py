"""Which members a page of the publisher's names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from pathlib import Path

_IMAGE = re.compile(
    rb"""<img\b[^>]*?\bsrc\s*=\s*["']?([\w.-]+/[\w.-]+\.jpe?g)\b""", re.IGNORECASE
)


def listed_members(page: Path) -> list[str]:
    """Return the pictures an HTML page shows, as paths relative to it."""
    found = {match.decode() for match in _IMAGE.findall(page.read_bytes())}
    if not found:
        raise MmclustError(
            f"{page.name} lists no pictures",
            where=page,
            expected="<img src=folder/name.jpg>",
            found="none",
            do="the publisher's page may have changed: open it in a browser",
        )
    return sorted(found)
