"""What fetching wrote about a source: ``source.json``, which may be absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import ModuleType


def source_facts(raw: Path) -> dict[str, Any]:
    """Return what ``source.json``, which fetching writes, says; empty if absent."""
    path = raw / "source.json"
    if not path.is_file():
        return {}
    return read_record(path, {}, do="fetch the source again", mirror=str, files=dict)


def taken_from(plugin: ModuleType, params: Any, raw: Path) -> dict[str, str]:
    """Return where fetching took each source of a benchmark from.

    Parameters
    ----------
    plugin, params
        The benchmark; of its sources, ``params.source`` is the one read, if it says so.
    raw
        Folder of the source; of several, the folder that holds theirs.

    Returns
    -------
    dict
        ``sample``, ``upstream`` or ``folder`` by source; ``by hand`` where nothing was
        fetched. Of several, those that are there.
    """
    names: tuple[str, ...] = getattr(plugin, "SOURCES", ())
    names = names or (getattr(plugin, "SOURCE", "source"),)
    chosen = str(getattr(params, "source", ""))
    names = (chosen,) if chosen in names else names
    found = {}
    for name in names:
        own, shared = raw / name, (raw / "source.json").is_file()
        if len(names) > 1 and not own.is_dir() and not shared:
            continue
        folder = own if (own / "source.json").is_file() or not shared else raw
        mirror = str(source_facts(folder).get("mirror", "by hand"))
        known = mirror in ("sample", "upstream", "by hand")
        found[name] = mirror if known else "folder"
    return found


def verified_by(raw: Path, sources: Iterable[str] = ()) -> list[str]:
    """Return how fetching verified the source's files, ``none`` among it.

    Empty where nothing says so: they were not fetched.

    Parameters
    ----------
    raw, sources
        See :func:`taken_from`.
    """
    folders = [raw, *(raw / name for name in sources if name)]
    held = [source_facts(folder).get("files") for folder in folders]
    files = [file for each in held if isinstance(each, dict) for file in each.values()]
    return sorted({str(f.get("verified")) for f in files if isinstance(f, dict)})


def protocol_value(raw: Path, key: str, default: int) -> int:
    """Return a protocol's number as ``source.json`` sets it for a small mirror.

    Parameters
    ----------
    raw
        Folder of the source.
    key
        For instance ``coco_all.min_images``.
    default
        The protocol's own number.
    """
    protocol = source_facts(raw).get("protocol", {})
    value = protocol.get(key, default) if isinstance(protocol, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        raise MmclustError(
            "source.json has a value of the wrong type",
            where=f"{raw / 'source.json'}, protocol, {key}",
            expected="a whole number",
            found=repr(value),
            do="fetch the source again",
        )
    return value
