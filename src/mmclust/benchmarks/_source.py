"""What fetching wrote about a source: ``source.json``, which may be absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def source_facts(raw: Path) -> dict[str, Any]:
    """Return what ``source.json``, which fetching writes, says; empty if absent."""
    path = raw / "source.json"
    facts = read_json(path) if path.is_file() else {}
    if not isinstance(facts, dict):
        raise MmclustError(
            "source.json is not an object",
            where=path,
            expected="the file that `mmclust fetch` writes",
            found=type(facts).__name__,
            do="fetch the source again",
        )
    return facts


def is_sample(raw: Path, sources: Iterable[str] = ()) -> bool:
    """Return whether these are the built-in files rather than the publisher's.

    Parameters
    ----------
    raw
        Folder of the source; of several, the folder that holds theirs.
    sources
        Names of the sources.
    """
    folders = [raw, *(raw / name for name in sources if name)]
    return any(source_facts(folder).get("mirror") == "sample" for folder in folders)


def verified_by(raw: Path, sources: Iterable[str] = ()) -> list[str]:
    """Return how fetching verified the source's files, ``none`` among it.

    Empty where nothing says so: they were not fetched.

    Parameters
    ----------
    raw, sources
        See :func:`is_sample`.
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
