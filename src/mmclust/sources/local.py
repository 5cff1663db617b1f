"""Filling a source's folder from files of the user's."""

from __future__ import annotations

import contextlib
import zipfile
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from mmclust.core.io import file_digest
from mmclust.sources.copying import take_archive
from mmclust.sources.download import Network
from mmclust.sources.folder import counts, find_files, pack
from mmclust.sources.selected import fetch_members
from mmclust.sources.verify import verified_by

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.registry import Source, SourceFile
    from mmclust.sources.choice import Choose
    from mmclust.sources.verify import Facts


OVER_HTTP = "over_http"
"""Told once, and not written down: equal files have equal notes."""


def archive_entry(source: Source, name: str, facts: Facts) -> dict[str, Any]:
    """Return what ``source.json`` says of a file that is as its publisher has it."""
    entry = {
        "size": facts.size,
        "sha256": facts.digests["sha256"],
        "verified": verified_by(source.files[name]),
        "from": "archive",
    }
    return entry | ({OVER_HTTP: True} if facts.over_http else {})


def from_folder(
    source: Source,
    folder: Path,
    out: Path,
    only: list[str] | None = None,
    choose: Choose | None = None,
) -> dict[str, Any]:
    """Copy or pack what a folder has of a source."""
    files = {}
    there = find_files(source, folder, only)
    chosen = choose(folder) if choose else {}
    for name, found in there.items():
        file, path, names = source.files[name], out / name, chosen.get(name)
        before = partial(forget, out)
        if found != [folder / name]:
            if names is not None:
                wanted = {folder / each for each in names}
                found = [path for path in found if path in wanted]  # noqa: PLW2901
            if found:
                pack(found, folder, path, before_replace=before)
                notes = counts(file, found, folder)
                files[name] = made_entry(path, "none", "packed", notes)
        elif names is None:
            facts = take_archive(found[0], file, path, before_replace=before)
            files[name] = archive_entry(source, name, facts)
        elif names:
            # Its members are held to its directory, so that not all of it is read.
            here = replace(file, urls=(found[0].absolute().as_uri(),), size=None)
            here = replace(here, member_url=None)
            names = _as_in(found[0], names)
            files[name] = some_members(here, names, out, Network(), {})
    return files


def _as_in(archive: Path, names: list[str]) -> list[str]:
    """Name members as an archive of the user's does: perhaps without their folder."""
    with contextlib.suppress(OSError, zipfile.BadZipFile):  # told when it is read
        with zipfile.ZipFile(archive) as opened:
            there = set(opened.namelist())
        below = {name: name.partition("/")[2] for name in names}
        return [below[n] if n not in there and below[n] in there else n for n in names]
    return names


def some_members(
    file: SourceFile,
    names: list[str],
    out: Path,
    network: Network,
    tokens: Mapping[str, str],
) -> dict[str, Any]:
    """Make an archive of some members; return what ``source.json`` says of it."""
    before = partial(forget, out)
    how, over_http = fetch_members(
        file, names, out, network, tokens=tokens, before_replace=before
    )
    full = sum(file.contains.values())
    part = ": a part" if len(names) < full else ""
    notes = {pattern: f"{len(names)} of {full}{part}" for pattern in file.contains}
    entry = made_entry(out / file.name, how, "members", notes)
    return entry | ({OVER_HTTP: True} if over_http else {})


def made_entry(
    path: Path, verified: str, made: str, contains: dict[str, str]
) -> dict[str, Any]:
    """Return what ``source.json`` says of an archive that was made here."""
    return {
        "size": path.stat().st_size,
        "sha256": file_digest(path),
        "verified": verified,
        "from": made,
        "contains": contains,
    }


def forget(out: Path) -> None:
    """Drop ``source.json`` before the first file it describes changes."""
    (out / "source.json").unlink(missing_ok=True)
