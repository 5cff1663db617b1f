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
    Hashed,
    forget,
    measure,
    present,
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


def find_files(
    source: Source, folder: Path, only: list[str] | None = None
) -> tuple[dict[str, list[Path]], list[str]]:
    """Look for a source's files in a folder, packed or unpacked; say what is missing.

    Of optional files one suffices.
    """
    found: dict[str, list[Path]] = {}
    files = [f for n, f in source.files.items() if only is None or n in only]
    for file in files:
        if there := files_of(file, folder):
            found[file.name] = there
    refuse_outside(folder, [path for paths in found.values() for path in paths])
    missing = [described(f) for f in files if not f.optional and f.name not in found]
    either = [file for file in files if file.optional]
    if either and not any(file.name in found for file in either):
        missing.append(f"at least one of {', '.join(map(described, either))}")
    return found, missing


def files_of(file: SourceFile, folder: Path) -> list[Path]:
    """Return what a folder has of an archive: the archive, or files that are in it."""
    if (folder / file.name).is_file():
        return [folder / file.name]
    found = {path for pattern in file.contains for path in folder.glob(pattern)}
    members = (path for path in found if path.is_file())
    return sorted(members, key=lambda member: member.as_posix())


def pack(names: list[str], folder: Path, path: Path) -> None:
    """Pack files into an archive: stored, in the order given, with a fixed date."""
    sizes = sum((folder / name).stat().st_size for name in names)
    require_space(path.parent, sizes, f"packing {path.name}")

    def contents() -> Iterator[tuple[str, Path]]:
        for name in track(names, f"packing {path.name}", unit="files"):
            _check_start(folder / name)
            yield name, folder / name
        forget(path.parent)

    write_stored(path, contents())


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


def take_archive(archive: Path, file: SourceFile, path: Path) -> Hashed:
    """Copy an archive of the user's once it is known to be right."""
    if file.digests and (found := present(path, file)):
        return found
    with _opened(archive, archive.name) as opened, writing(path) as temporary:
        temporary.touch()
        if _reflink(opened, temporary):
            copied = measure(temporary, file)
        else:
            require_space(path.parent, archive.stat().st_size, f"a copy of {path.name}")
            copied = _copy(opened, temporary, file)
        do = "your file was left alone; replace it by the publisher's, or unpack it"
        verify(file, copied, temporary, archive, do=do)
        forget(path.parent)
    return copied


def _reflink(source: BinaryIO, target: Path) -> bool:
    """Share the source's blocks; False where the file system cannot."""
    with target.open("r+b") as opened:
        try:
            fcntl.ioctl(opened.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
    return True


def _copy(source: BinaryIO, target: Path, file: SourceFile) -> Hashed:
    hashed = Hashed(file)
    chunks = iter(lambda: source.read(CHUNK), b"")
    with target.open("r+b") as opened:
        for chunk in track_bytes(chunks, f"copying {file.name}", file.size):
            hashed.update(chunk)
            try:
                opened.write(chunk)
            except OSError as error:
                raise cannot_write(target, error, None) from error
    return hashed
