"""Plugins are found by name: one file in a folder is one plugin.

``load("encoders", "hog")`` imports ``mmclust.encoders.hog`` and nothing else.
Files whose names start with an underscore are helpers, not plugins.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, nearest

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGE = Path(__file__).parent.parent
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST = 100


def names(kind: str) -> list[str]:
    """Return the sorted names of the plugins of a kind, importing none."""
    found = pkgutil.iter_modules([str(_PACKAGE / kind)])
    return sorted(m.name for m in found if not m.name.startswith("_") and not m.ispkg)


def load(kind: str, name: str) -> ModuleType:
    """Import one plugin by name."""
    require(kind, name)
    return importlib.import_module(f"mmclust.{kind}.{name}")


def require(kind: str, name: str) -> None:
    """Refuse a name that no plugin has; imports none."""
    known = names(kind)
    if name not in known:
        raise MmclustError(
            f"Unknown {kind.removesuffix('s')} {name!r}",
            where=f"mmclust/{kind}/",
            expected=nearest(name, known),
            found=name,
            do=f"correct the name, or add a file to mmclust/{kind}/",
        )


def require_name(name: object, what: str, where: object) -> str:
    """Return a name that is safe as a part of paths and a word of a command."""
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
