"""Unpacking archives one did not make: all of it safely, or nothing.

The project reads archives in place; this is for those that cannot be. A member
that should not be there refuses the archive, it is not skipped: an archive with one
bad member is not what it claims to be. A member is checked before a byte is written.
"""

from __future__ import annotations

import gzip
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, require_file, sweep, writing
from mmclust.sources.space import cannot_write, require_space

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


_FREE = 1 << 20
"""Bytes below which no ratio is suspicious."""
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


@dataclass(frozen=True)
class Limits:
    """What an archive may become; beyond it is taken for a compression bomb."""

    total: int = 500_000_000_000
    """Bytes of all members."""
    ratio: float = 200.0
    """Bytes of a member, or of all, for each byte of the archive they come from."""
    members: int = 5_000_000


@dataclass(frozen=True)
class Member:
    """One entry of an archive."""

    name: str
    kind: str
    """``file``, ``folder``, or what it is instead (``symbolic link``, …)."""
    size: int = 0
    """Bytes it is declared to have."""
    packed: int | None = None
    """Bytes it takes in the archive; ``None`` where only the whole is packed."""
    encrypted: bool = False


@dataclass
class Gate:
    """Lets members pass one by one, and remembers them."""

    archive: Path
    limits: Limits
    total: int = 0
    count: int = 0
    kinds: dict[str, str] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)

    def admit(self, member: Member) -> PurePosixPath:
        """Return where a member may be written, relative to the target."""
        path = self._place(member)
        if member.kind not in {"file", "folder"}:
            raise self._refused(member, "a file or a folder", f"a {member.kind}")
        if member.encrypted:
            raise self._refused(member, "no password", "an encrypted member")
        self._refuse_clash(member, path)
        self._refuse_bomb(member)
        return path

    def _place(self, member: Member) -> PurePosixPath:
        path = PurePosixPath(member.name)
        odd = "\\" in member.name or "\0" in member.name or ":" in member.name[:2]
        if path.is_absolute() or ".." in path.parts or odd or not path.parts:
            expected = "a path inside the folder it is unpacked to"
            raise self._refused(member, expected, repr(member.name))
        return path

    def _refuse_clash(self, member: Member, path: PurePosixPath) -> None:
        """Refuse a name that stands for two things, here or on other systems."""
        steps = [(str(p), "folder") for p in list(path.parents)[:-1]]
        for name, kind in [*reversed(steps), (str(path), member.kind)]:
            folded = unicodedata.normalize("NFC", name).casefold()
            other = self.spellings.setdefault(folded, name)
            if other != name:
                found = f"{other!r} and {name!r}"
                raise self._refused(member, "names that differ by more", found)
            known = self.kinds.setdefault(name, kind)
            repeated = name == str(path) and kind == "file" and name in self.files
            if known != kind or repeated:
                raise self._refused(member, "every name once", f"{name!r} twice")
        if member.kind == "file":
            self.files.add(str(path))

    def _refuse_bomb(self, member: Member) -> None:
        limits = self.limits
        self.total += member.size
        self.count += 1
        if self.count > limits.members or self.total > limits.total:
            expected = f"{limits.members:,} members of {limits.total:,} bytes at most"
            found = f"{self.count:,} members of {self.total:,} bytes so far"
            raise self._refused(member, expected, found)
        if member.packed is None:
            size, packed = self.total, self.archive.stat().st_size
        else:
            size, packed = member.size, member.packed
        if size > _FREE and size > limits.ratio * packed:
            expected = f"at most {limits.ratio:g} bytes for each packed byte"
            raise self._refused(member, expected, f"{size:,} bytes from {packed:,}")

    def _refused(self, member: Member, expected: str, found: str) -> MmclustError:
        return _refused(self.archive, member.name, expected, found)


def _refused(archive: Path, name: str, expected: str, found: object) -> MmclustError:
    """Return the refusal of an archive because of one member."""
    return MmclustError(
        f"{archive.name} is not safe to unpack, or damaged",
        where=f"{archive}: member {name!r}",
        expected=expected,
        found=found,
        do="nothing was unpacked; get the archive from its publisher again",
    )


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


def _members(
    archive: Path, gate: Gate, out: Path
) -> Iterator[tuple[Member, IO[bytes] | None]]:
    """Yield every member with its bytes; folders have none."""
    name = "(the archive itself)"
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                infos = opened.infolist()
                _refuse_overlap(archive, infos)
                size = sum(info.file_size for info in infos)
                size = min(size, gate.limits.total)
                require_space(out.parent, size, f"unpacking {archive.name}")
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
        raise _refused(archive, name, "a complete archive", error) from error


def _refuse_overlap(archive: Path, infos: list[zipfile.ZipInfo]) -> None:
    """Members that share bytes make a small archive into an endless one."""
    packed, size = sum(i.compress_size for i in infos), archive.stat().st_size
    if packed > size:
        found = f"{packed:,} packed bytes in {size:,}"
        raise _refused(archive, infos[0].filename, "members side by side", found)


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


def _copy(source: IO[bytes], path: Path, member: Member, archive: Path) -> None:
    """Write a member to its end, where its CRC-32 is checked."""
    size = 0
    with source, path.open("xb") as target:
        while chunk := _read(source, member, archive):
            size += len(chunk)
            if size > member.size:
                break
            try:
                target.write(chunk)
            except OSError as error:
                missing = member.size - size + len(chunk)
                raise cannot_write(path, error, missing) from error
    if size != member.size:
        expected = f"{member.size:,} bytes, as declared"
        found = "more" if size > member.size else f"{size:,} bytes"
        raise _refused(archive, member.name, expected, found)


def _read(source: IO[bytes], member: Member, archive: Path) -> bytes:
    try:
        return source.read(CHUNK)
    except _DAMAGE as error:
        raise _refused(archive, member.name, "a complete member", error) from error
