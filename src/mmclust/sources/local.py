"""Filling a source's folder from files of the user's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from mmclust.core.io import file_digest
from mmclust.sources.copying import take_archive
from mmclust.sources.folder import counts, find_files, pack
from mmclust.sources.verify import verified_by

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.sources.types import Source
    from mmclust.sources.verify import Facts


def archive_entry(source: Source, name: str, facts: Facts) -> dict[str, Any]:
    """Return what ``source.json`` says of a file that is as its publisher has it."""
    return {
        "size": facts.size,
        "sha256": facts.digests["sha256"],
        "verified": verified_by(source.files[name]),
        "from": "archive",
    }


def from_folder(
    source: Source, folder: Path, out: Path, only: list[str] | None = None
) -> dict[str, Any]:
    """Copy or pack what a folder has of a source.

    Parameters
    ----------
    source
        What to look for.
    folder
        The user's.
    out
        The folder to fill.
    only
        Names of the files to look for; all by default.

    Returns
    -------
    dict
        By file: what ``source.json`` says of it.
    """
    files = {}
    before = partial(forget, out)
    for name, found in find_files(source, folder, only).items():
        file, path = source.files[name], out / name
        if found == [folder / name]:
            facts = take_archive(found[0], file, path, before_replace=before)
            files[name] = archive_entry(source, name, facts)
        else:
            pack(found, folder, path, before_replace=before)
            files[name] = {
                "size": path.stat().st_size,
                "sha256": file_digest(path),
                "verified": "none",
                "from": "packed",
                "contains": counts(file, found, folder),
            }
    return files


def forget(out: Path) -> None:
    """Drop ``source.json`` before the first file it describes changes."""
    (out / "source.json").unlink(missing_ok=True)
