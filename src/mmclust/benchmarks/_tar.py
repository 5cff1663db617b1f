"""Members of tar archives: where their bytes lie, without unpacking.

A plain ``.tar`` is read by offset where it lies, as a stored zip is. A compressed one
(``.tar.gz``) has no offsets: :mod:`mmclust.benchmarks._unpacked` puts the members
that a benchmark takes, once, into a stored zip beside its manifest.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, Any, cast

from mmclust.benchmarks._images import Place
from mmclust.benchmarks._raw import check_folder
from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

BLOCK = tarfile.BLOCKSIZE
DAMAGED = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
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
    """Find members of a tar archive without unpacking it.

    Parameters
    ----------
    archive
        Plain or compressed, told apart by its content.
    wanted
        Names, or a function that says whether a name is wanted. A leading ``./`` is
        no part of a name.
    within
        A tar inside a plain tar (ImageNet's train archive holds one per class), as
        this function found it; offsets still count from the outer one's start.

    Returns
    -------
    dict of str to Place
        In the archive's order, of those members that are there; ``offset`` is
        ``None`` in a compressed archive, ``length`` is always set.

    Raises
    ------
    MmclustError
        When the archive is missing, damaged or cut short, or a wanted member is no
        plain file or is there twice.
    """
    is_wanted = wanted if callable(wanted) else wanted.__contains__
    readable = archive.suffix == ".tar" and not is_compressed(archive)
    places: dict[str, Place] = {}
    with _walking(archive, within) as members:
        for _, info in track(members, f"reading {archive.name}", unit="members"):
            name = info.name.removeprefix("./")
            if info.isdir() or not is_wanted(name):
                continue
            _refuse_odd(archive, info, seen=name in places)
            offset = info.offset_data if readable else None
            places[name] = Place(archive, name, offset, info.size)
    return places


def read_members(
    archive: Path, wanted: Collection[str] | Callable[[str], bool]
) -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of members, in the archive's order.

    Parameters
    ----------
    archive, wanted
        As in :func:`locate_members`.

    Yields
    ------
    name : str
    data : bytes

    Raises
    ------
    MmclustError
        As in :func:`locate_members`.
    """
    is_wanted = wanted if callable(wanted) else wanted.__contains__
    seen: set[str] = set()
    with _walking(archive, None) as members:
        for tar, info in members:
            name = info.name.removeprefix("./")
            if info.isdir() or not is_wanted(name):
                continue
            _refuse_odd(archive, info, seen=name in seen)
            seen.add(name)
            with cast("IO[bytes]", tar.extractfile(info)) as member:
                yield name, member.read()


def is_compressed(archive: Path) -> bool:
    """Return whether a tar's bytes have to be unpacked to be read."""
    return _packing(archive) is not None


def _packing(archive: Path) -> Callable[[Path], Any] | None:
    try:
        with archive.open("rb") as file:
            start = file.read(6)
    except OSError as error:
        check_folder(archive.parent)
        raise MmclustError(
            f"{archive.name} cannot be opened",
            where=archive,
            expected="a tar archive",
            found=error.strerror,
            do="fetch the source again, or give its folder with --raw",
        ) from error
    return next((p for magic, p in _PACKINGS.items() if start.startswith(magic)), None)


class _Watched:
    """A file that remembers what was read last: a tar ends with a block of zeros."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        self.last = self.file.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


@contextlib.contextmanager
def _walking(
    archive: Path, within: Place | None
) -> Iterator[Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]]:
    """Give an archive's members; whatever goes wrong inside names the archive."""
    name = within.member if within else None
    packing = _packing(archive)
    try:
        with packing(archive) if packing else archive.open("rb") as file:
            yield _members(file, within, archive.stat().st_size, packed=bool(packing))
    except DAMAGED as error:
        raise _damaged(archive, name, error) from error


def _members(
    file: IO[bytes], within: Place | None, size: int, *, packed: bool
) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    end = size
    if within is not None:
        assert within.offset is not None
        assert within.length is not None
        file.seek(within.offset)
        end = within.offset + within.length
    watched = _Watched(file)
    with tarfile.open(fileobj=cast("IO[bytes]", watched), mode="r:") as tar:
        while (info := tar.next()) is not None:
            if not packed and info.offset_data + info.size > end:
                raise EOFError(f"it ends inside {info.name}")
            yield tar, info
            # tarfile keeps every header it has seen; a million of them is much.
            cast("Any", tar).members.clear()
        # tarfile takes a header it cannot read, or no header, for the end.
        if watched.last != bytes(BLOCK):
            raise EOFError("it does not end as a tar does")
        while packed and file.read(CHUNK):
            pass  # at the very end a compressed file holds the check of all of it


def _refuse_odd(archive: Path, info: tarfile.TarInfo, *, seen: bool) -> None:
    if info.isreg() and not info.issparse() and not seen:
        return
    found = "a second member of this name" if seen else "a link or a special file"
    raise MmclustError(
        "An archive's member cannot be read where it lies",
        where=f"{archive}, {info.name}",
        expected="one plain file of this name",
        found=found,
        do="fetch the source again, or unpack it and give the folder with --raw",
    )


def _damaged(archive: Path, member: str | None, error: BaseException) -> MmclustError:
    where = f"{archive}, {member}" if member else str(archive)
    return MmclustError(
        "An archive is truncated or damaged",
        where=where,
        expected="a complete tar archive",
        found=f"{archive.stat().st_size:,} bytes: {error or type(error).__name__}",
        do="fetch the source again",
    )
