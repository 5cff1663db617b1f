"""Finding a publisher's files, whether the archives are unpacked or not."""

from __future__ import annotations

import contextlib
import mmap
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Buffer = mmap.mmap | memoryview | bytearray | bytes

# What zipfile and zlib raise on damaged, encrypted or exotic archives.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)


@dataclass(frozen=True)
class Found:
    """A file, or a member of an archive where ``member`` is not ``None``."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return f"{self.path}, {self.member}" if self.member else str(self.path)


def find(raw: Path, archive: str, member: str) -> Found | None:
    """Look for a publisher's file: unpacked first, then in its archive.

    Parameters
    ----------
    raw
        Folder of the source.
    archive
        For instance ``annotations_trainval2017.zip``.
    member
        Path in the archive, which unpacking keeps.

    Returns
    -------
    Found or None
        ``None`` when it is in neither place.
    """
    if (raw / member).is_file():
        return Found(raw / member)
    if (raw / archive).is_file():
        with opened(raw / archive) as packed:
            if member in packed.NameToInfo:
                return Found(raw / archive, member)
    return None


def require(raw: Path, archive: str, member: str) -> Found:
    """Return what :func:`find` finds.

    Raises
    ------
    MmclustError
        Naming the places looked at, when it is in none.
    """
    check_folder(raw)
    found = find(raw, archive, member)
    if found is None:
        raise MmclustError(
            f"{member} is missing",
            where=raw,
            expected=f"{raw / member}, or {member} inside {raw / archive}",
            found=some(sorted(p.name for p in raw.iterdir())) or "an empty folder",
            do="fetch the source again, or give its folder with --raw",
        )
    return found


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
    """Open a zip archive, naming it in what goes wrong.

    Raises
    ------
    MmclustError
        When the archive is truncated or damaged, also inside the block.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DAMAGED as error:
        raise damaged(path, error) from error


def damaged(path: Path, error: object) -> MmclustError:
    """Return the error for an archive that cannot be read."""
    size = path.stat().st_size if path.is_file() else 0
    return MmclustError(
        "An archive is truncated or damaged",
        where=path,
        expected="a complete zip archive",
        found=f"{size:,} bytes: {error or type(error).__name__}",
        do="fetch the source again",
    )


@contextlib.contextmanager
def reading(found: Found) -> Iterator[Buffer]:
    """Give all bytes of a file without a second copy of them in memory.

    A file, or a member that is stored uncompressed, is mapped; a compressed
    member is unpacked into one buffer of its size.

    Parameters
    ----------
    found
        What to read.

    Yields
    ------
    mmap.mmap or memoryview or bytearray or bytes
        Valid inside the block only.

    Raises
    ------
    MmclustError
        When the archive is damaged.
    """
    if found.member is None:
        with mapped(found.path) as whole:
            yield whole
        return
    with opened(found.path) as archive:
        info = archive.getinfo(found.member)
        try:
            unpacked = None if is_stored(info) else _unpacked(archive, info)
        except (MemoryError, OverflowError) as error:
            raise MmclustError(
                "There is too little memory to unpack a member of an archive",
                where=found,
                found=f"{info.file_size:,} bytes, as the archive says",
                do="end other programs, or unpack the archive and give the folder "
                "with --raw; if it cannot be so large, fetch the source again",
            ) from error
        start = data_offset(found.path, info) if unpacked is None else 0
    if unpacked is not None:
        yield unpacked
        return
    stored = slice(start, start + info.file_size)
    with mapped(found.path) as whole, memoryview(whole)[stored] as view:
        if zlib.crc32(view) != info.CRC:
            raise damaged(found.path, f"bad CRC-32 for {found.member}")
        yield view


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    """Map a file read-only; an empty file, which cannot be mapped, is ``b""``."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise MmclustError(
            f"{path.name} cannot be opened",
            where=path,
            found=error.strerror,
            do="see that you may read the file",
        ) from error
    with file:
        if path.stat().st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            yield whole


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytearray:
    """Return a compressed member's bytes, its checksum verified."""
    buffer = bytearray(info.file_size)
    view = memoryview(buffer)
    filled = 0
    with archive.open(info) as opened_member:
        member = cast("io.BufferedIOBase", opened_member)
        while count := member.readinto(view[filled : filled + (1 << 20)]):
            filled += count
        # The checksum is compared at the end only, which this read reaches.
        extra = member.read(1)
    if filled != info.file_size or extra:
        raise zipfile.BadZipFile(f"{info.filename} has another size than stated")
    return buffer


def is_stored(info: zipfile.ZipInfo) -> bool:
    """Return whether a member's bytes lie in the archive as they are."""
    encrypted = info.flag_bits & 1
    return info.compress_type == zipfile.ZIP_STORED and not encrypted


def data_offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Return where a stored member's bytes begin; see :func:`data_offsets`."""
    return data_offsets(path, [info])[0]


def data_offsets(path: Path, infos: Sequence[zipfile.ZipInfo]) -> list[int]:
    """Return where members' bytes begin in their archive.

    The local header is read for it: its extra field may have another length
    than the central directory's (Info-ZIP writes them so).

    Parameters
    ----------
    path
        The archive.
    infos
        Members of it.

    Returns
    -------
    list of int
        Bytes from the start of the archive.

    Raises
    ------
    MmclustError
        When there is no local header where the central directory says, or the
        archive ends before the member does.
    """
    offsets = []
    size = path.stat().st_size
    with path.open("rb", buffering=0) as file:
        for info in infos:
            file.seek(info.header_offset)
            header = file.read(30)
            if header[:4] != b"PK\3\4" or len(header) < 30:  # noqa: PLR2004
                raise damaged(path, f"no header for {info.filename}")
            name_length = int.from_bytes(header[26:28], "little")
            extra_length = int.from_bytes(header[28:30], "little")
            start = info.header_offset + 30 + name_length + extra_length
            if start + info.compress_size > size:
                raise damaged(path, f"it ends inside {info.filename}")
            offsets.append(start)
    return offsets
