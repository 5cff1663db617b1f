"""A data set the user already has: its archives are copied, their contents packed.

Archives are held to the registry's digests. They are copied by reflink where the file
system can, never by hard link: what lies in ``data/raw`` becomes DVC's, which makes it
read-only and may share it with its cache; a user's own file must not change with it.

Unpacked files are packed again, uncompressed and in a fixed order, so that the rest of
the project meets one layout and equal folders give equal archives.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from mmclust.core.archives import write_stored
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import CHUNK, writing
from mmclust.core.progress import track
from mmclust.sources.parts import cannot_write, require_space
from mmclust.sources.verify import (
    Facts,
    Hashed,
    decide,
    forget,
    measure,
    track_bytes,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from mmclust.core.registry import Source, SourceFile

_FICLONE = 0x40049409  # linux/fs.h
_STARTS = {".jpg": (b"\xff\xd8", "a JPEG, which begins with FF D8"), ".json": (b"", "")}


class NotInFolder(MmclustError):  # noqa: N818 - it may lie elsewhere
    """A folder lacks a source's files."""


def find_files(
    source: Source, folder: Path, only: list[str] | None = None
) -> dict[str, list[Path]]:
    """Look for a source's files in a folder, packed or unpacked."""
    found: dict[str, list[Path]] = {}
    files = {n: f for n, f in source.files.items() if only is None or n in only}
    for name, file in files.items():
        if (folder / name).is_file():
            found[name] = [folder / name]
        elif members := _members(file, folder):
            found[name] = members
    refuse_outside(folder, [path for paths in found.values() for path in paths])
    if missing := _missing(files, found):
        raise NotInFolder(
            f"{source.name} is not in the folder",
            where=folder,
            expected="; ".join(missing),
            found=some(sorted(p.name for p in folder.iterdir())) or "an empty folder",
            do="give the folder that holds the publisher's archives, or what was "
            "unpacked from them",
        )
    return found


def holds(folder: Path, file: SourceFile) -> bool:
    """Say whether a folder has a file, or something of what is in it."""
    return (folder / file.name).is_file() or bool(_members(file, folder))


def pack(members: list[Path], folder: Path, path: Path) -> None:
    """Pack files into an archive: stored, in the order given, with a fixed date."""
    sizes = sum(member.stat().st_size for member in members)
    require_space(path.parent, sizes, f"packing {path.name}")

    def contents() -> Iterator[tuple[str, Path]]:
        for member in track(members, f"packing {path.name}", unit="files"):
            _check_start(member)
            yield member.relative_to(folder).as_posix(), member
        forget(path.parent)

    write_stored(path, contents())


def counts(file: SourceFile, members: list[Path], folder: Path) -> dict[str, str]:
    """Say how much of the full set a packed archive holds."""
    names = {member.relative_to(folder) for member in members}
    notes = {}
    for pattern, full in file.contains.items():
        n_found = sum(name.match(pattern) for name in names)
        rest = ": a part" if n_found < full else ""
        notes[pattern] = f"{n_found} of {full}{rest}"
    return notes


def _missing(files: dict[str, SourceFile], found: dict[str, list[Path]]) -> list[str]:
    either = [file for file in files.values() if file.optional]
    missing = [
        described(file)
        for file in files.values()
        if not file.optional and file.name not in found
    ]
    if either and not any(file.name in found for file in either):
        missing.append(f"at least one of {', '.join(map(described, either))}")
    return missing


def refuse_outside(folder: Path, paths: list[Path]) -> None:
    """Refuse what links lead to beyond the folder: it was not given.

    The folder itself may be a link, and links in it may point to other places in it.
    """
    root = os.path.realpath(folder)
    inside = os.path.join(root, "")  # noqa: PTH118 - a text to begin with
    real = {parent: os.path.realpath(parent) for parent in {p.parent for p in paths}}
    outside = []
    for path in paths:
        where = os.path.join(real[path.parent], path.name)  # noqa: PTH118
        if path.is_symlink():
            where = os.path.realpath(path)
        if not where.startswith(inside):
            outside.append(path)
    if outside:
        raise MmclustError(
            "Links lead out of the folder",
            where=folder,
            expected="files inside it, or links that stay there",
            found=f"{len(outside):,}: {some(p.relative_to(folder) for p in outside)}",
            do="put the files themselves there, or give the folder that holds them",
        )


def described(file: SourceFile) -> str:
    """Return what a file is looked for as: itself, or what is in it."""
    return " or ".join([file.name, *file.contains])


def _members(file: SourceFile, folder: Path) -> list[Path]:
    members = {
        member
        for pattern in file.contains
        for member in folder.glob(pattern)
        if member.is_file()
    }
    return sorted(members, key=lambda member: member.as_posix())


def _opened(path: Path, what: str) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise MmclustError(
            f"{what} cannot be read",
            where=path,
            found=error.strerror,
            do="make it readable",
        ) from error


def _check_start(member: Path) -> None:
    """Refuse a file that is empty, or does not begin as its name says."""
    with _opened(member, "A file to be packed") as source:
        start = source.read(8)
    magic, expected = _STARTS.get(member.suffix, (b"", ""))
    if start and start.startswith(magic):
        return
    found = f"a file that begins with {start.hex(' ').upper()}"
    if not start:
        expected, found = "a file that is not empty", "an empty file"
    raise MmclustError(
        f"{member.name} is damaged",
        where=member,
        expected=expected,
        found=found,
        do="fetch or unpack it again",
    )


def take_archive(archive: Path, file: SourceFile, path: Path) -> Facts:
    """Copy an archive of the user's once it is known to be right."""
    found = measure(path, file) if file.digests else None
    if found is not None and decide(file, found) == "present":
        return found
    with _opened(archive, archive.name) as opened, writing(path) as temporary:
        temporary.touch()
        if _reflink(opened, temporary):
            facts = measure(temporary, file)
            assert facts is not None
        else:
            require_space(path.parent, archive.stat().st_size, f"a copy of {path.name}")
            facts = _copy(opened, temporary, file)
        do = "your file was left alone; replace it by the publisher's, or unpack it"
        verify(file, facts, temporary, archive, do=do)
        forget(path.parent)
    return facts


def _reflink(source: BinaryIO, target: Path) -> bool:
    """Share the source's blocks; False where the file system cannot."""
    with target.open("r+b") as opened:
        try:
            fcntl.ioctl(opened.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
    return True


def _copy(source: BinaryIO, target: Path, file: SourceFile) -> Facts:
    hashed = Hashed(file)
    chunks = iter(lambda: source.read(CHUNK), b"")
    with target.open("r+b") as opened:
        for chunk in track_bytes(chunks, f"copying {file.name}", file.size):
            hashed.update(chunk)
            try:
                opened.write(chunk)
            except OSError as error:
                raise cannot_write(target, error, None) from error
    return hashed.facts()
