"""Files on their way: private names that a later run can find and continue.

A part lies in a work folder beside its target (``<out>.work``, which DVC does not
see), under a name no other process uses, with a note of which version of which url
it holds. One run at a time has the work folder, and takes over what an earlier one left
there. That files are right does not depend on its lock: what is taken over is compared
with the server and hashed like everything else. Free space is checked before it is
needed, and told when it runs out anyway.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, BinaryIO

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, sweep, write_json
from mmclust.sources.http_request import Version
from mmclust.sources.verify import Hashed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mmclust.core.registry import SourceFile

_OVERLAP = 1 << 16
"""Bytes that are asked for again when a download is continued, to compare."""
_FULL = {errno.ENOSPC, errno.EDQUOT}


def work_folder(out: Path) -> Path:
    """Return the folder of what is on its way to ``out``: beside it, or inside.

    DVC empties ``out`` before it runs the stage again, and must not see parts. Only
    where ``out`` is a file system of its own do they have to lie inside.
    """
    out = out.resolve()
    if out.is_dir() and out.stat().st_dev != out.parent.stat().st_dev:
        return out / ".work"
    return out.with_name(out.name + ".work")


@contextlib.contextmanager
def one_at_a_time(work: Path) -> Iterator[bool]:
    """Give a work folder to one run; others that ask for it wait until it ends.

    Yields whether that is so: on a file system without locks nobody waits, and what
    lies there may be somebody's.
    """
    with contextlib.ExitStack() as held:
        alone = False
        with contextlib.suppress(OSError):  # told where something is written
            while not alone:
                alone = _lock(work, held)
        try:
            yield alone
        finally:
            if alone:
                with contextlib.suppress(OSError):
                    work.rmdir()  # if it holds nothing that a later run can continue


def _lock(work: Path, held: contextlib.ExitStack) -> bool:
    """Make and lock a folder; say whether it is still there then."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        folder = os.open(work, os.O_RDONLY | os.O_DIRECTORY)
        held.callback(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)
        return os.path.samestat(os.fstat(folder), work.stat())
    except (FileNotFoundError, FileExistsError):
        if work.is_file() or work.is_symlink():
            raise
        return False  # whoever had it has ended, and removed it


class TakenAwayError(Exception):
    """Another run took a part over, or tidied it away: locks do not work here."""


@dataclass
class Part:
    """What has arrived of a file, under a private name."""

    source: SourceFile  # what it is going to be
    path: Path
    file: BinaryIO
    hashed: Hashed  # what counts; bytes that lie beyond are overwritten
    version: Version | None = None  # whose bytes they are; `None` while there are none
    continued: bool = False
    """Whether they came in more than one answer, so that they might not fit."""
    doubts: int = 0  # how often a server's ranges turned out not to fit
    over_http: bool = False  # whether some of the bytes came in the clear

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.hashed.size

    @property
    def note(self) -> Path:
        """Where the version is written down."""
        return self.path.with_suffix(".json")

    def restart(self, version: Version | None) -> None:
        """Forget what has arrived; the next bytes are a new version's first."""
        self.hashed, self.version = Hashed(self.source), version
        self.continued = self.over_http = False
        self.file.seek(0)
        self.file.truncate()
        if version is None:
            self.note.unlink(missing_ok=True)
        else:
            write_json(self.note, asdict(version))

    def write(self, chunk: bytes) -> None:
        """Append bytes, hashing them."""
        try:
            self.file.seek(self.size)
            view = memoryview(chunk)
            while view:
                view = view[self.file.write(view) :]
        except OSError as error:
            total = self.source.size or (self.version.total if self.version else None)
            missing = None if total is None else total - self.size
            raise cannot_write(self.path, error, missing) from error
        self.hashed.update(chunk)

    def tail(self) -> bytes:
        """Return the last bytes that arrived, to compare with the server's."""
        self.file.seek(max(0, self.size - _OVERLAP))
        return self.file.read(min(self.size, _OVERLAP))

    def adopt(self) -> None:
        """Hash what a part taken over holds; without a note it is worth nothing."""
        try:
            self.version = Version(**json.loads(self.note.read_bytes()))
        except (OSError, ValueError, TypeError):
            self.restart(None)
            return
        self.continued = True
        self.over_http = self.version.url.startswith("http:")
        while chunk := self.file.read(CHUNK):
            self.hashed.update(chunk)


@contextlib.contextmanager
def part_of(source: SourceFile, work: Path, *, fresh: bool) -> Iterator[Part]:
    """Give the largest part of a file that an earlier run left, or a new one."""
    path = work / f".{source.name}.{secrets.token_hex(6)}.part"
    try:
        work.mkdir(parents=True, exist_ok=True)
        parts = [] if fresh else list(work.glob(f".{source.name}.*.part"))
        # Another user's may be there, whom this one may not follow.
        parts = [each for each in parts if os.access(each, os.R_OK | os.W_OK)]
        if parts:
            largest = max(parts, key=lambda each: each.stat().st_size)
            largest.rename(path)
            with contextlib.suppress(FileNotFoundError):
                largest.with_suffix(".json").rename(path.with_suffix(".json"))
        file = path.open("r+b" if parts else "x+b", buffering=0)
    except FileNotFoundError as error:
        raise TakenAwayError from error
    except OSError as error:
        raise cannot_write(work / source.name, error, source.size) from error
    with file:
        part = Part(source, path, file, Hashed(source))
        part.adopt()
        try:
            yield part
        finally:
            if not part.size:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
                    part.note.unlink(missing_ok=True)


def tidy(work: Path, names: Iterable[str], whole: Iterable[str]) -> None:
    """Remove what files were made of that are there by now, some of them whole."""
    for name in names:
        shutil.rmtree(work / f"{name}.members", ignore_errors=True)
    for name in whole:
        for left in work.glob(f".{name}.*"):
            left.unlink(missing_ok=True)
    shutil.rmtree(work / "lists", ignore_errors=True)
    sweep(work)


def require_space(folder: Path, size: int, what: str) -> None:
    """Check the free space before anything is written."""
    free = _free_space(folder)
    if free < size:
        raise MmclustError(
            f"Not enough space for {what}",
            where=folder,
            expected=f"{size:,} bytes free",
            found=f"{free:,} bytes free, {size - free:,} too few",
            do="free some space, or choose another folder with --out",
        )


def cannot_write(path: Path, error: OSError, missing: int | None) -> MmclustError:
    """Return what a failed write means."""
    found, do = error.strerror or str(error), "choose a folder you may write to"
    if error.errno in _FULL:
        do = "free some space, then run the same command: it continues where it stopped"
        if missing is not None:
            short = max(0, missing - _free_space(path.parent))
            found += f": {missing:,} bytes still to be written, {short:,} too few free"
    do += "; what was there before is untouched"
    return MmclustError(f"Cannot write {path.name}", where=path, found=found, do=do)


def _free_space(folder: Path) -> int:
    existing = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    return shutil.disk_usage(existing).free
