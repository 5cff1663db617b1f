"""The directory of a zip archive on a server, read by range requests."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, some
from mmclust.sources.asking import Ask
from mmclust.sources.ranges import read_range
from mmclust.sources.remote_member import Wanted
from mmclust.sources.transport import opening
from mmclust.sources.trouble import FetchError, changed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmclust.core.registry import SourceFile
    from mmclust.sources.asking import Http, Version

_BLOCK = 1 << 16
_ENCRYPTED = 1


@dataclass(frozen=True)
class Directory:
    """What a remote archive holds."""

    version: Version
    members: dict[str, Wanted]


class _Ranges(io.RawIOBase):
    """A remote file that is read in blocks, and remembers the last ones.

    ``zipfile`` reads the directory through it, 64-bit archives included.
    """

    def __init__(self, http: Http, version: Version) -> None:
        assert version.total is not None
        self._http, self._version = http, version
        self._total, self._at = version.total, 0
        self._from, self._held = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._total}
        at = start[whence] + offset
        if at < 0:
            raise OSError(f"byte {at} of a file")
        self._at = at
        return at

    def read(self, size: int = -1) -> bytes:
        stop = self._total if size < 0 else min(self._at + size, self._total)
        if self._at < self._from or stop > self._from + len(self._held):
            # Its beginning may be what is looked for next: zipfile searches backwards.
            start = max(0, min(self._at, self._total - _BLOCK))
            end = max(stop, min(start + _BLOCK, self._total))
            ask = Ask(self._version.url, start, end, self._version)
            self._from, self._held = start, read_range(self._http, ask)
        data = self._held[self._at - self._from : max(stop, self._at) - self._from]
        self._at += len(data)
        return data


def read_directory(http: Http, file: SourceFile, url: str) -> Directory:
    """Read the central directory of a remote zip archive."""
    with opening(http, Ask(url, 0, 1)) as stream:
        if not stream.partial or stream.version.total is None:
            raise _no_ranges(url)
        version = stream.version
        next(stream.chunks, b"")
    if file.size not in (None, version.total):
        raise changed(url, f"{file.size:,} bytes", f"{version.total:,} bytes")
    try:
        with zipfile.ZipFile(_Ranges(http, version)) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
            starts = [info.header_offset for info in infos] + [archive.start_dir]
    except (zipfile.BadZipFile, OSError, ValueError, struct.error) as error:
        told = MmclustError(
            f"The directory of {file.name} cannot be read",
            where=url,
            expected="a complete zip archive",
            found=error,
            do="fetch the whole archive, or try again",
        )
        raise FetchError(told) from error
    members = {}
    for info, end in zip(infos, starts[1:], strict=True):
        if info.is_dir() or info.flag_bits & _ENCRYPTED:
            continue
        members[info.filename] = Wanted(
            info.filename, info.file_size, info.CRC, info.compress_type,
            info.compress_size, info.header_offset, end,
        )  # fmt: skip
    return Directory(version, members)


def choose(directory: Directory, names: Iterable[str], where: str) -> list[Wanted]:
    """Return the members of these names, in the order they lie in."""
    wanted = list(names)
    missing = [name for name in wanted if name not in directory.members]
    if missing:
        raise MmclustError(
            "Members are not in the remote archive",
            where=where,
            expected="every selected member",
            found=f"{len(missing):,} missing: {some(missing)}",
            do="check that the selection belongs to this source",
        )
    found = (directory.members[name] for name in wanted)
    return sorted(found, key=lambda member: member.start)


def _no_ranges(url: str) -> FetchError:
    error = MmclustError(
        "The server does not give parts of the archive",
        where=url,
        expected="an answer with one byte, as asked for",
        found="the whole file",
        do="fetch the whole archive",
    )
    return FetchError(error)
