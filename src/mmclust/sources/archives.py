"""Unpacking archives one did not make: all of it safely, or nothing.

The project reads archives in place; this is for those that cannot be. A member
that should not be there refuses the archive, it is not skipped: an archive with one
bad member is not what it claims to be.
"""

from __future__ import annotations

import contextlib
import gzip
import stat
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, require_file, sweep, writing
from mmclust.sources.members import Gate, Limits, Member, refused
from mmclust.sources.space import cannot_write, require_space

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    gzip.BadGzipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_KINDS = {
    tarfile.SYMTYPE: "symbolic link",
    tarfile.LNKTYPE: "hard link",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "named pipe",
}


def unpack(archive: Path, out: Path, limits: Limits | None = None) -> int:
    """Unpack a zip, tar or compressed tar into a new folder."""
    require_file(archive, "give the path of an archive")
    if out.exists():
        raise MmclustError(
            f"{out.name} is there already",
            where=out,
            expected="a folder that does not exist yet",
            found="a folder" if out.is_dir() else "a file",
            do="remove it, or choose another folder",
        )
    sweep(out.parent)
    gate, n_files = Gate(archive, limits or Limits()), 0
    with writing(out) as temporary:
        temporary.mkdir()
        for member, source in _members(archive, gate, out):
            path = temporary / gate.admit(member)
            if source is None:
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy(source, path, member, archive)
            n_files += 1
    return n_files


def check_archive(archive: Path) -> None:
    """Read every member of an archive to its end, writing nothing."""
    gate = Gate(archive, Limits())
    for member, source in _members(archive, gate, None):
        gate.admit(member)
        if source is not None:
            _copy(source, None, member, archive)


def _members(
    archive: Path, gate: Gate, out: Path | None
) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Yield every member with its bytes; folders have none."""
    name = "(the archive itself)"
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                infos = opened.infolist()
                _refuse_overlap(archive, infos)
                if out is not None:
                    size = sum(info.file_size for info in infos)
                    require_space(
                        out.parent,
                        min(size, gate.limits.total),
                        f"unpacking {archive.name}",
                    )
                for info in infos:
                    name = info.filename
                    member = _of_zip(info)
                    readable = member.kind == "file" and not member.encrypted
                    yield member, opened.open(info) if readable else None
        else:
            with tarfile.open(archive) as tar:
                for each in tar:
                    name = each.name
                    yield _of_tar(each), tar.extractfile(each) if each.isreg() else None
    except _DAMAGE as error:
        raise refused(archive, name, "a complete archive", error) from error


def _refuse_overlap(archive: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Members that share bytes make a small archive into an endless one."""
    packed, size = sum(i.compress_size for i in infos), archive.stat().st_size
    if packed > size:
        found = f"{packed:,} packed bytes in {size:,}"
        raise refused(archive, infos[0].filename, "members side by side", found)


def _of_zip(info: zipfile.ZipInfo) -> Member:
    mode = info.external_attr >> 16
    kind = "folder" if info.is_dir() else "file"
    if stat.S_ISLNK(mode):
        kind = "symbolic link"
    elif stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        kind = "device"
    encrypted = bool(info.flag_bits & 1)
    return Member(info.filename, kind, info.file_size, info.compress_size, encrypted)


def _of_tar(info: tarfile.TarInfo) -> Member:
    kind = "file" if info.isreg() else "folder" if info.isdir() else "special file"
    return Member(info.name, _KINDS.get(info.type, kind), info.size)


def _copy(source: IO[bytes], path: Path | None, member: Member, archive: Path) -> None:
    """Write a member, or just read it; its end is where its CRC-32 is checked."""
    size = 0
    with source, contextlib.ExitStack() as held:
        target = None if path is None else held.enter_context(path.open("xb"))
        while chunk := _read(source, member, archive):
            size += len(chunk)
            if size > member.size:
                break
            if target is not None:
                try:
                    target.write(chunk)
                except OSError as error:
                    missing = member.size - size + len(chunk)
                    raise cannot_write(path or archive, error, missing) from error
    if size != member.size:
        expected = f"{member.size:,} bytes, as declared"
        found = "more" if size > member.size else f"{size:,} bytes"
        raise refused(archive, member.name, expected, found)


def _read(source: IO[bytes], member: Member, archive: Path) -> bytes:
    try:
        return source.read(CHUNK)
    except _DAMAGE as error:
        raise refused(archive, member.name, "a complete member", error) from error
