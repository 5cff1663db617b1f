"""Plugins are found by name: one file in a folder is one plugin.

``load("encoders", "hog")`` imports ``mmclust.encoders.hog`` and nothing else.
Files whose names start with an underscore are helpers, not plugins. Some names are
known that have no file, or share one: :mod:`mmclust.core.known_names`.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.known_names import KNOWN, SHARED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

_PACKAGE = Path(__file__).parent.parent
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_LONGEST = 100

CAPTIONER = "blip"
"""The model that writes captions, under whatever name; in ``mmclust/models``."""


@cache
def names(kind: str) -> tuple[str, ...]:
    """Return the sorted names of the plugins of a kind, importing none."""
    found = pkgutil.iter_modules([str(_PACKAGE / kind)])
    plain = {m.name for m in found if not m.ispkg and not m.name.startswith("_")}
    shared = SHARED.get(kind, {})
    return tuple(sorted(plain - set(shared.values()) | shared.keys()))


def known(kind: str) -> list[str]:
    """Return the sorted names that need no ``is``: plugins, and known names."""
    return sorted({*names(kind), *KNOWN.get(kind, {})})


def plugin_of(kind: str, name: str) -> str:
    """Return the plugin that a name without ``is`` stands for, known or not.

    Captions have any name: one plugin writes them.
    """
    if kind == "captioners":
        return CAPTIONER
    return str(KNOWN.get(kind, {}).get(name, {}).get("is", name))


def load(kind: str, name: str) -> ModuleType:
    """Import one plugin by its name, or a known one."""
    if kind == "captioners":
        return importlib.import_module(f"mmclust.models.{CAPTIONER}")
    require(kind, name)
    plugin = plugin_of(kind, name)
    file = SHARED.get(kind, {}).get(plugin)
    module = importlib.import_module(f"mmclust.{kind}.{file or plugin}")
    return getattr(module, plugin) if file else module


def require(kind: str, name: str, own: Iterable[str] | None = None) -> None:
    """Refuse a name that is neither known nor, in params.yaml, one's ``own``."""
    options = sorted({*known(kind), *(own or ())})
    says = "" if own is None else f" say in params.yaml what it is ({name}: {{is: …}}),"
    if name not in options:
        raise MmclustError(
            f"Unknown {kind.removesuffix('s')} {name!r}",
            where=f"mmclust/{kind}/" if own is None else f"{kind} in params.yaml",
            expected=nearest(name, options),
            found=name,
            do=f"correct the name,{says} or add a file to mmclust/{kind}/",
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
