"""Which pictures of which sources a benchmark takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.benchmarks._expected import split_allowance
from mmclust.core.plugins import load, params_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import ModuleType
    from typing import Any

    from mmclust.core.types import Built


def sources_of(name: str, params_block: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the sources that a benchmark reads with these options."""
    plugin, params = _opened(name, params_block)
    if hasattr(plugin, "sources"):
        return tuple(plugin.sources(params))
    return tuple(getattr(plugin, "SOURCES", ())) or (plugin.SOURCE,)


def lists_of(name: str) -> tuple[str, ...]:
    """Return the sources whose files say which pictures of other sources it takes."""
    return tuple(getattr(load("benchmarks", name), "LISTS", ()))


def needed_pictures(
    name: str, raw: Path, params_block: Mapping[str, Any] | None
) -> list[str]:
    """Run a benchmark's protocol on everything but pictures.

    Parameters
    ----------
    name
        A file of this folder.
    raw
        Holds a folder for each of its sources, with the files that say which pictures
        there are.
    params_block
        The benchmark's options; what is left out takes its default.

    Returns
    -------
    list of str
        Paths in the publishers' archives, ``<folder>/<name>``, of all pictures that
        ``build`` looks at.

    Raises
    ------
    MmclustError
        When the benchmark or an option is unknown, or a file is missing or damaged.
    """
    plugin, params = _opened(name, params_block)
    split = plugin.DEFAULT_SPLIT
    if not hasattr(plugin, "SOURCES"):
        raw = raw / plugin.SOURCE
    if hasattr(plugin, "pictures"):
        return list(plugin.pictures(raw, params, split=split))
    built: Built = plugin.build(raw, params, split=split, images=False)
    return [row.member for row in built.rows]


def _opened(
    name: str, params_block: Mapping[str, Any] | None
) -> tuple[ModuleType, Any]:
    """Return a benchmark and its options, checked."""
    options, _ = split_allowance(name, params_block)
    params = params_of("benchmarks", name, options, f"benchmarks.{name}")
    return load("benchmarks", name), params
