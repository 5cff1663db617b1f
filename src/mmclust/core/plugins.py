"""Plugins are found by name: one file in a folder is one plugin.

``load("encoders", "hog")`` imports ``mmclust.encoders.hog`` and nothing else.
Files whose names start with an underscore are helpers, not plugins.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest

if TYPE_CHECKING:
    from types import ModuleType

_PACKAGE = Path(__file__).parent.parent


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


def params_of(
    kind: str, name: str, block: Any, where: str, given: str = "params.yaml"
) -> Any:
    """Read a plugin's block of params.yaml into its ``Params`` class."""
    from mmclust.core.params import convert

    options = {} if block is None else block
    return convert(options, load(kind, name).Params, where, given)
