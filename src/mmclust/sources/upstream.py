"""Fetching a source from its publishers' servers: whole files, or members alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import file_digest, read_note
from mmclust.sources.collect import collect
from mmclust.sources.listing import listed_members
from mmclust.sources.local import archive_entry, forget, from_folder
from mmclust.sources.manual import drop_folder, require_dropped
from mmclust.sources.selected import fetch_members
from mmclust.sources.verify import decide, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mmclust.sources.download import Network
    from mmclust.sources.types import Source, SourceFile
    from mmclust.sources.verify import Facts

    Select = Callable[[Path], Mapping[str, Iterable[str]]]
    """Given the folder that holds the whole files, say which members are needed of
    which archives."""


def from_upstream(
    source: Source,
    out: Path,
    root: Path,
    network: Network,
    *,
    upstream: bool = True,
    select: Select | None = None,
) -> dict[str, Any]:
    """Fetch what is missing or damaged.

    Parameters
    ----------
    source
        What to fetch.
    out
        The folder to fill.
    root
        Of the repository, where the drop folder is.
    network
        How servers are used.
    upstream
        Whether these are the publishers' own files, and not the sample's.
    select
        Takes the place of optional archives: only members are fetched of them.

    Returns
    -------
    dict
        By file: what ``source.json`` says of it.
    """
    known = _noted(out, "upstream" if upstream else "sample")
    found = _present(source, out, known)
    wanted = [f for f in source.files.values() if decide(f, found[f.name]) != "present"]
    files = _dropped(source, wanted, out, drop_folder(root, source.name), upstream)
    wanted = [file for file in wanted if file.name not in files]
    whole = [f for f in wanted if f.urls and not (select and f.optional)]
    new = collect(
        whole,
        out,
        network,
        what=f"the download of {source.name}",
        tokens=source.tokens,
        before_replace=partial(forget, out),
    )
    wrong = {*files, *(file.name for file in wanted)}
    right = {name: facts for name, facts in found.items() if name not in wrong}
    for name, facts in {**right, **new}.items():
        if facts is not None and name not in new and not source.files[name].digests:
            files[name] = known[name]
        elif facts is not None:
            files[name] = archive_entry(source, name, facts)
    members = _members(source, wanted, out, select)
    for name, names in members.items():
        files[name] = _packed(source, source.files[name], names, out, network)
    return {name: files[name] for name in source.files if name in files}


def _by_hand(file: SourceFile) -> bool:
    return not file.urls and not file.listed_in


def _dropped(
    source: Source, wanted: list[SourceFile], out: Path, folder: Path, upstream: bool
) -> dict[str, Any]:
    """Take what was dropped; demand what can be got in no other way."""
    if not upstream:
        return {}
    by_hand = [file for file in wanted if _by_hand(file)]
    there = [f for f in source.files.values() if f.optional and (out / f.name).exists()]
    if there and all(file.optional for file in by_hand):
        by_hand = []
    if by_hand:
        require_dropped(source, by_hand, folder)
    names = [file.name for file in by_hand]
    names += [f.name for f in wanted if f.urls and (folder / f.name).is_file()]
    return from_folder(source, folder, out, names) if names else {}


def _members(
    source: Source, wanted: list[SourceFile], out: Path, select: Select | None
) -> dict[str, list[str]]:
    """Return which members to fetch, by archive."""
    names = [file.name for file in wanted]
    chosen = {} if select is None else select(out)
    for name in chosen:
        if name not in source.files:
            raise MmclustError(
                f"{source.name} has no file {name}",
                expected=", ".join(source.files),
                found=name,
                do="select from a file of the source",
            )
    members = {name: list(each) for name, each in chosen.items() if name in names}
    for file in wanted:
        if file.listed_in:
            members[file.name] = listed_members(out / file.listed_in)
    return members


def _packed(
    source: Source, file: SourceFile, names: list[str], out: Path, network: Network
) -> dict[str, Any]:
    how = fetch_members(
        file,
        names,
        out,
        network,
        tokens=source.tokens,
        before_replace=partial(forget, out),
    )
    full = sum(file.contains.values())
    part = ": a part" if len(names) < full else ""
    return {
        "size": (out / file.name).stat().st_size,
        "sha256": file_digest(out / file.name),
        "verified": how,
        "from": "members",
        "contains": {
            pattern: f"{len(names)} of {full}{part}" for pattern in file.contains
        },
    }


def _noted(out: Path, mirror: str) -> dict[str, Any]:
    """Return what ``source.json`` says of the files, if they are of this mirror."""
    facts = read_note(out / "source.json")
    files = facts.get("files") if facts.get("mirror") == mirror else None
    return dict(files) if isinstance(files, dict) else {}


def _present(
    source: Source, out: Path, known: dict[str, Any]
) -> dict[str, Facts | None]:
    """Measure what is there and may stay.

    A file without a digest may be any mirror's; it stays if ``source.json`` knows it
    from the same mirror.
    """
    found: dict[str, Facts | None] = {}
    for name, file in source.files.items():
        held = measure(out / name, file)
        if held is not None and not file.digests:
            noted = known.get(name, {}).get("sha256")
            held = held if noted == held.digests.get("sha256") else None
        found[name] = held
    return found
