"""Fetching a source from its publishers' servers: whole files, or members alone."""

from __future__ import annotations

import zipfile
from functools import partial
from typing import TYPE_CHECKING, Any

from mmclust.core.io import file_digest, read_note
from mmclust.sources.collect import collect
from mmclust.sources.folder import holds
from mmclust.sources.listing import listed_members
from mmclust.sources.local import archive_entry, forget, from_folder, some_members
from mmclust.sources.manual import drop_folder, require_dropped
from mmclust.sources.verify import decide, measure

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.registry import Source, SourceFile
    from mmclust.sources.choice import Choose
    from mmclust.sources.download import Network
    from mmclust.sources.verify import Facts


def from_upstream(
    source: Source,
    out: Path,
    root: Path,
    network: Network,
    *,
    upstream: bool = True,
    choose: Choose | None = None,
) -> dict[str, Any]:
    """Fetch what is missing or damaged."""
    known = _noted(out, "upstream" if upstream else "sample")
    found = _present(source, out, known)
    drop = drop_folder(root, source.name)
    right = {
        f.name for f in source.files.values() if decide(f, found[f.name]) == "present"
    }
    some = {
        file.name
        for file in source.files.values()
        # What was made of a drop folder that is empty by now stays.
        if choose
        and file.is_pictures
        and (_is_had(file) or holds(drop, file))
        # Whoever has downloaded all of it is not given less.
        and not (upstream and file.digests and file.name in right)
    }
    wanted = [f for f in source.files.values() if f.name not in right - some]
    files = _dropped(source, wanted, out, drop, choose) if upstream else {}
    wanted = [file for file in wanted if file.name not in files]
    new = collect(
        [file for file in wanted if file.urls and file.name not in some],
        out,
        network,
        what=f"the download of {source.name}",
        tokens=source.tokens,
        before_replace=partial(forget, out),
    )
    kept = {name: found[name] for name in right - some - files.keys()}
    for name, facts in {**kept, **new}.items():
        if facts is not None and name not in new and not source.files[name].digests:
            files[name] = known[name]
        elif facts is not None:
            files[name] = archive_entry(source, name, facts)
    for name, names in _members(wanted, out, choose).items():
        file, path = source.files[name], out / name
        if names and _is_noted(path, names, known.get(name)):
            files[name] = known[name]
        elif names and _is_had(file):
            files[name] = some_members(file, names, out, network, source.tokens)
    return {name: files[name] for name in source.files if name in files}


def _is_had(file: SourceFile) -> bool:
    """Say whether a file can be had without the user's hand."""
    return bool(file.urls or file.listed_in)


def _dropped(
    source: Source,
    wanted: list[SourceFile],
    out: Path,
    folder: Path,
    choose: Choose | None,
) -> dict[str, Any]:
    """Take what was dropped; demand what can be got in no other way."""
    by_hand = [file for file in wanted if not _is_had(file)]
    there = [f for f in source.files.values() if f.optional and (out / f.name).exists()]
    if there and all(file.optional for file in by_hand):
        by_hand = [file for file in by_hand if holds(folder, file)]
    if by_hand:
        require_dropped(source, by_hand, folder)
    names = [file.name for file in by_hand]
    names += [f.name for f in wanted if f.urls and (folder / f.name).is_file()]
    return from_folder(source, folder, out, names, choose) if names else {}


def _members(
    wanted: list[SourceFile], out: Path, choose: Choose | None
) -> dict[str, list[str]]:
    """Return which members to fetch, by archive."""
    if choose is not None:
        chosen = choose(out)
        return {f.name: chosen[f.name] for f in wanted if f.name in chosen}
    listed = (file for file in wanted if file.listed_in)
    return {file.name: listed_members(out / file.listed_in) for file in listed}


def _is_noted(path: Path, names: list[str], noted: dict[str, Any] | None) -> bool:
    """Say whether an archive is the one that was made of just these members."""
    if noted is None or noted["from"] != "members" or not path.is_file():
        return False
    if file_digest(path) != noted["sha256"]:
        return False
    with zipfile.ZipFile(path) as archive:
        return archive.namelist() == sorted(set(names))


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
