"""Where several sources' files lie: in folders of their names, unpacked or packed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmclust.benchmarks._images import Place
from mmclust.benchmarks._raw import (
    Found,
    check_folder,
    data_offsets,
    find,
    is_stored,
    opened,
)
from mmclust.benchmarks._tar import locate_members
from mmclust.core.errors import MmclustError, some
from mmclust.core.text import same_form

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def source_folders(raw: Path, names: Sequence[str]) -> list[Path]:
    """Return the folders that several sources' files may lie in.

    Parameters
    ----------
    raw
        Holds a folder for each source, or all their files themselves.
    names
        The sources.

    Returns
    -------
    list of Path
        Those of ``raw/<name>`` that are there, then ``raw``.

    Raises
    ------
    MmclustError
        When ``raw`` is no folder.
    """
    check_folder(raw)
    return [raw / name for name in names if (raw / name).is_dir()] + [raw]


def look_for(folders: Sequence[Path], archive: str, member: str) -> Found | None:
    """Return the first of a publisher's file, unpacked or in its archive."""
    for folder in folders:
        if found := find(folder, archive, member):
            return found
    return None


def lacking(folders: Sequence[Path], what: str, names: Sequence[str]) -> MmclustError:
    """Return the error for a file that is in none of the folders.

    Parameters
    ----------
    folders
        What was looked through, the source's folder last.
    what
        The file, for the first line.
    names
        What would have done.
    """
    there = {path.name for folder in folders for path in folder.iterdir()}
    return MmclustError(
        f"{what} is missing",
        where=", ".join(map(str, folders)),
        expected=" or ".join(names),
        found=some(sorted(there)) or "an empty folder",
        do="fetch the source again, or give its folder with --raw",
    )


def locate_files(
    folders: Sequence[Path],
    files: Mapping[str, str],
    *,
    archives: Sequence[str] | None = None,
    below: bool = False,
) -> dict[str, Place]:
    """Find image files by the last folder and the name of their path.

    Parameters
    ----------
    folders
        Where to look, in order of preference.
    files
        Path ``<folder>/<name>`` of each image id.
    archives
        Stems of the archives to look into; by default the ``<folder>`` of each path.
        ``*`` stands for every archive there is.
    below
        Whether to look one folder deeper, too.

    Returns
    -------
    dict of str to Place
        Of each image id: unpacked if it is there so, else in an archive, whose own
        paths may be longer.

    Raises
    ------
    MmclustError
        When files are missing or empty (how many, and which first), or an archive
        is damaged.
    """
    stems = archives or sorted({path.split("/")[0] for path in files.values()})
    absent = {path: image_id for image_id, path in files.items()}
    places: dict[str, Place] = {}
    empty: list[str] = []
    for form in (str, same_form):
        # Names that look the same join, where they are not the same.
        wanted = {form(path): path for path in absent}
        if form is same_form and not any(not path.isascii() for path in absent):
            break
        for found in _found(folders, wanted, stems, below, form):
            for path, (place, size) in found.items():
                image_id = absent.pop(wanted.pop(path))
                places[image_id] = place
                if size == 0:
                    empty.append(image_id)
            if not wanted:
                break
    _refuse(folders, stems, files, sorted(absent.values()), sorted(empty))
    return places


def _found(
    folders: Sequence[Path],
    absent: Mapping[str, str],
    stems: Sequence[str],
    below: bool,
    form: Callable[[str], str],
) -> Iterator[dict[str, tuple[Place, int]]]:
    """Yield what each place holds of what is still ``absent`` by then."""
    for folder in folders:
        yield _in_folder(folder, absent, form)
        if below:
            for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
                yield _in_folder(inner, absent, form)
    for folder in folders:
        for stem in stems:
            for ending in ARCHIVES:
                archives = (
                    path for path in folder.glob(stem + ending) if path.is_file()
                )
                for archive in sorted(archives):
                    kind = _in_zip if ending == ".zip" else _in_tar
                    yield kind(archive, absent, form)


def _in_folder(
    root: Path, absent: Mapping[str, str], form: Callable[[str], str]
) -> dict[str, tuple[Place, int]]:
    found: dict[str, tuple[Place, int]] = {}
    wanted = {path.split("/")[0] for path in absent}
    there = wanted if form is str else {path.name for path in root.iterdir()}
    for folder in sorted(there):
        if form(folder) not in wanted or not (root / folder).is_dir():
            continue
        with os.scandir(root / folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = f"{folder}/{entry.name}"
                if form(path) in absent and entry.is_file():
                    place = Place(root, path), entry.stat().st_size
                    found.setdefault(form(path), place)
    return found


def _in_zip(
    archive: Path, absent: Mapping[str, str], form: Callable[[str], str]
) -> dict[str, tuple[Place, int]]:
    with opened(archive) as packed:
        chosen = _shortest([i.filename for i in packed.infolist()], absent, form)
        infos = {path: packed.getinfo(name) for path, name in chosen.items()}
    # Every header is visited, so that an archive cut short is noticed now.
    offsets = data_offsets(archive, list(infos.values()))
    return {
        path: (_place(archive, info, offset), info.file_size)
        for (path, info), offset in zip(infos.items(), offsets, strict=True)
    }


def _place(archive: Path, info: zipfile.ZipInfo, offset: int) -> Place:
    if is_stored(info):
        return Place(archive, info.filename, offset, info.file_size)
    return Place(archive, info.filename)


def _in_tar(
    archive: Path, absent: Mapping[str, str], form: Callable[[str], str]
) -> dict[str, tuple[Place, int]]:
    members = locate_members(archive, lambda name: form(_tail(name)) in absent)
    chosen = _shortest(list(members), absent, form)
    return {p: (members[name], members[name].length or 0) for p, name in chosen.items()}


def _tail(name: str) -> str:
    return "/".join(name.split("/")[-2:])


def _shortest(
    names: Sequence[str], absent: Mapping[str, str], form: Callable[[str], str]
) -> dict[str, str]:
    """Return the member of each path; of several, the one least deep, by name."""
    chosen: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name.count("/"), name)):
        if (path := form(_tail(name))) in absent:
            chosen.setdefault(path, name)
    return chosen


def _refuse(
    folders: Sequence[Path],
    stems: Sequence[str],
    files: Mapping[str, str],
    missing: list[str],
    empty: list[str],
) -> None:
    where = ", ".join(map(str, folders))
    if missing:
        archives = " or ".join(f"{stem}.zip or .tar(.gz)" for stem in stems)
        raise MmclustError(
            "Selected images have no file",
            where=where,
            expected=f"{len(files):,} image files, such as {files[missing[0]]}, in "
            f"folders or in {archives}",
            found=f"{len(missing):,} missing: {some(missing)}",
            do="fetch the source again, or count without images: --annotations-only",
        )
    if empty:
        raise MmclustError(
            "Image files are empty",
            where=where,
            expected="at least one byte each",
            found=f"{len(empty):,} empty: {some(empty)}",
            do="fetch the source again",
        )
