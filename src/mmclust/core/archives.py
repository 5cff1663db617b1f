"""Zip and tar archives: where members lie, reading them there, writing a stored zip.

A stored zip and a plain tar are read by offset where they lie. A compressed tar has no
offsets: what is taken of it is written once into a stored zip.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self, cast

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, writing
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path


BROKEN_ZIP = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError,
)  # fmt: skip
"""What zipfile and its unpackers raise on damaged, encrypted or exotic archives."""


@dataclass(frozen=True)
class Found:
    """A file, or a member of an archive where ``member`` is not ``None``."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path}, {self.member}" if self.member else str(self.path)


@dataclass(frozen=True)
class Place:
    """The bytes of one image: a member of a folder or of an archive.

    Where they are stored uncompressed in an archive, they are so many bytes from its
    start, and a zip knows their CRC-32.
    """

    container: Path
    member: str
    offset: int | None = None
    length: int | None = None
    crc32: int | None = None


def check_folder(raw: Path) -> None:
    """Refuse a source that is not a folder."""
    if not raw.is_dir():
        raise MmclustError(
            "The source's folder is missing",
            where=raw,
            expected="a folder with the publisher's files",
            found="a file" if raw.exists() else "nothing",
            do="run `mmclust fetch`, or give the folder with --raw",
        )


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive, naming it in what goes wrong."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except BROKEN_ZIP as error:
        raise damaged(path, error) from error


def damaged(
    path: Path, error: object, kind: str = "zip", member: str | None = None
) -> MmclustError:
    """Return the error for an archive, or one in it, that cannot be read."""
    size = path.stat().st_size if path.is_file() else 0
    return MmclustError(
        "An archive is truncated or damaged",
        where=Found(path, member),
        expected=f"a complete {kind} archive",
        found=f"{size:,} bytes: {error or type(error).__name__}",
        do="fetch the source again",
    )


@contextlib.contextmanager
def opened_file(found: Found) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file, or a member of a zip; give it with its size as it is stated."""
    if found.member is not None:
        with opened(found.path) as archive:
            info = archive.getinfo(found.member)
            with archive.open(info) as member:
                yield cast("BinaryIO", member), info.file_size
        return
    try:
        file = found.path.open("rb")
    except OSError as error:
        raise MmclustError(
            f"{found.path.name} cannot be opened",
            where=found.path,
            found=error.strerror,
            do="see that you may read it, fetch the source again, or give its folder "
            "with --raw",
        ) from error
    with file:
        yield file, os.fstat(file.fileno()).st_size


def read_found(found: Found) -> bytes:
    """Return all bytes of a file, or of a member of a zip."""
    with opened_file(found) as (file, size):
        data = _all_of(file, size, found)
        if len(data) != size:  # zipfile compares the CRC-32 alone
            raise zipfile.BadZipFile("a member has another size than stated")
    return data


def _all_of(file: IO[bytes], size: int, found: Found) -> bytes:
    """Read a file whole; refuse what cannot be had before it comes."""
    try:
        bytearray(size)
        return file.read()
    except (MemoryError, OverflowError) as error:
        raise MmclustError(
            "There is too little memory to unpack a member of an archive"
            if found.member
            else "There is too little memory to read a file",
            where=found,
            found=error or None,
            do="end other programs, or unpack the archive and give the folder "
            "with --raw; if it cannot be so large, fetch the source again",
        ) from error


def data_offset(path: Path, packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin in its archive.

    The local header is read for it: its extra field may have another length
    than the central directory's (Info-ZIP writes them so).
    """
    assert packed.fp is not None
    file = packed.fp.fileno()
    header = os.pread(file, 30, info.header_offset)
    if header[:4] != b"PK\3\4" or len(header) < 30:  # noqa: PLR2004
        raise damaged(path, f"no header for {info.filename}")
    name_length = int.from_bytes(header[26:28], "little")
    extra_length = int.from_bytes(header[28:30], "little")
    start = info.header_offset + 30 + name_length + extra_length
    if start + info.compress_size > os.fstat(file).st_size:
        raise damaged(path, f"it ends inside {info.filename}")
    return start


BROKEN_TAR = (
    tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
)  # fmt: skip
_PACKINGS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}


def locate_members(
    archive: Path,
    wanted: Collection[str] | Callable[[str], bool],
    within: Place | None = None,
) -> dict[str, Place]:
    """Find members of a tar archive without unpacking it."""
    readable = archive.suffix == ".tar" and _packing(archive) is None
    return {
        name: Place(archive, name, info.offset_data if readable else None, info.size)
        for name, info, _ in _members(archive, wanted, within, read=False)
    }


def read_members(
    archive: Path, wanted: Collection[str] | Callable[[str], bool]
) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of members, in the archive's order."""
    for name, _, data in _members(archive, wanted, read=True):
        yield name, data


def _members(
    archive: Path,
    wanted: Collection[str] | Callable[[str], bool],
    within: Place | None = None,
    *,
    read: bool,
) -> Iterator[tuple[str, tarfile.TarInfo, bytes]]:
    """Yield the name and header of members that are wanted, and their bytes if read.

    One that is no plain file, or is there again, is refused; whatever goes wrong names
    the archive.
    """
    is_wanted = wanted if callable(wanted) else wanted.__contains__
    packing = _packing(archive)
    seen: set[str] = set()
    try:
        with packing(archive) if packing else archive.open("rb") as file:
            start, end = _span(archive, within)
            file.seek(start)
            with tarfile.open(fileobj=file, mode="r:", tarinfo=_Header) as tar:
                headers = iter(tar.next, None)
                if not read:
                    headers = track(headers, f"reading {archive.name}", unit="members")
                for info in headers:
                    # tarfile keeps every header it has seen; a million of them is much.
                    cast("Any", tar).members.clear()
                    if not packing and info.offset_data + info.size > end:
                        raise EOFError(f"it ends inside {info.name}")
                    name = info.name.removeprefix("./")
                    if info.isdir() or not is_wanted(name):
                        continue
                    if name in seen or not info.isreg() or info.issparse():
                        found = "a link or a special file"
                        if name in seen:
                            found = "a second member of this name"
                        raise _not_plain(archive, info.name, found)
                    seen.add(name)
                    data = b""
                    if read:
                        member = cast("IO[bytes]", tar.extractfile(info))
                        data = _all_of(member, info.size, Found(archive, name))
                    yield name, info, data
            while packing and file.read(CHUNK):
                pass  # at the very end a compressed file holds the check of all of it
    except BROKEN_TAR as error:
        inner = within.member if within else None
        raise damaged(archive, error, "tar", inner) from error


def _span(archive: Path, within: Place | None) -> tuple[int, int]:
    """Return where a tar begins and ends in its file."""
    if within is None:
        return 0, archive.stat().st_size
    if within.offset is None or within.length is None:
        raise _not_plain(archive, within.member, "packed with the archive")
    return within.offset, within.offset + within.length


class _Header(tarfile.TarInfo):
    """A header; tarfile takes one that it cannot read, or none, for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Read 512 bytes; a tar ends with as many zeros."""
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf == bytes(tarfile.BLOCKSIZE):
                raise
            raise EOFError(f"it does not end as a tar does: {error}") from error


def _not_plain(archive: Path, name: str, found: str) -> MmclustError:
    return MmclustError(
        "An archive's member cannot be read where it lies",
        where=f"{archive}, {name}",
        expected="one plain file of this name",
        found=found,
        do="fetch the source again, or unpack it and give the folder with --raw",
    )


def _packing(archive: Path) -> Callable[[Path], Any] | None:
    check_folder(archive.parent)
    with opened_file(Found(archive)) as (file, _):
        start = file.read(6)
    return next((p for magic, p in _PACKINGS.items() if start.startswith(magic)), None)


def archive_places(
    path: Path, packed: zipfile.ZipFile, found: Mapping[str, zipfile.ZipInfo]
) -> dict[str, Place]:
    """Return where members of a zip lie, by the keys they are given under."""
    places = {}
    for key, info in found.items():
        # Every header is visited, so that an archive cut short is noticed now.
        offset = data_offset(path, packed, info)
        stored = info.compress_type == zipfile.ZIP_STORED and not info.flag_bits & 1
        bytes_at = (offset, info.file_size, info.CRC) if stored else ()
        places[key] = Place(path, info.filename, *bytes_at)
    return places


def write_stored(
    path: Path, members: Iterable[tuple[str, bytes | Path]]
) -> dict[str, Place]:
    """Write a zip without compression or dates: equal members give equal bytes."""
    places: dict[str, Place] = {}
    with (
        writing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
    ):
        for name, data in members:
            info = zipfile.ZipInfo(name)  # dated 1980, as every other
            info.create_system = 3  # Unix, on every system
            info.external_attr = 0o644 << 16
            if isinstance(data, bytes):
                archive.writestr(info, data)
            else:
                info.file_size = data.stat().st_size
                with data.open("rb") as file, archive.open(info, "w") as member:
                    shutil.copyfileobj(file, member, CHUNK)
            start = archive.start_dir - info.file_size
            places[name] = Place(path, name, start, info.file_size, info.CRC)
    return places
