"""What an archive's member may be: checked before a byte of it is written."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from pathlib import Path

_FREE = 1 << 20
"""Bytes below which no ratio is suspicious."""


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
    """One entry of an archive.

    Parameters
    ----------
    name
        As the archive has it.
    kind
        ``file``, ``folder``, or what it is instead (``symbolic link``, …).
    size
        Bytes it is declared to have.
    packed
        Bytes it takes in the archive; ``None`` where only the whole is packed.
    encrypted
        Whether it needs a password.
    """

    name: str
    kind: str
    size: int = 0
    packed: int | None = None
    encrypted: bool = False


@dataclass
class Gate:
    """Lets members pass one by one, and remembers them.

    Parameters
    ----------
    archive
        For messages, and for the ratio of a packed whole.
    limits
        What may come out of it.
    """

    archive: Path
    limits: Limits
    total: int = 0
    count: int = 0
    kinds: dict[str, str] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)

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
            repeated = name == str(path) and kind == "file" and name in self._files
            if known != kind or repeated:
                raise self._refused(member, "every name once", f"{name!r} twice")
        if member.kind == "file":
            self._files.add(str(path))

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

    def __post_init__(self) -> None:
        self._files: set[str] = set()

    def _refused(self, member: Member, expected: str, found: str) -> MmclustError:
        return refused(self.archive, member.name, expected, found)


def refused(archive: Path, name: str, expected: str, found: object) -> MmclustError:
    """Return the refusal of an archive because of one member."""
    return MmclustError(
        f"{archive.name} is not safe to unpack, or damaged",
        where=f"{archive}: member {name!r}",
        expected=expected,
        found=found,
        do="nothing was unpacked; get the archive from its publisher again",
    )
