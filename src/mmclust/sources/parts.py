"""Files on their way: private names that a later run can find and continue.

A part lies in a work folder beside its target (``<out>.work``, which DVC does not
see), under a name no other process uses, with a note of which version of which url
it holds. A run that finds a part whose writer is gone takes it over by renaming it,
which only one run can do. The lock that says whether a writer is gone saves work;
nothing's correctness depends on it: what is taken over is compared with the server
and hashed like everything else. Free space is checked before it is needed, and told
when it runs out anyway.
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
    from collections.abc import Iterator
    from pathlib import Path

    from mmclust.core.registry import SourceFile
    from mmclust.sources.verify import Facts

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
    def facts(self) -> Facts:
        """Size and digests of what has arrived."""
        return self.hashed.facts(over_http=self.over_http)

    def restart(self, version: Version | None) -> None:
        """Forget what has arrived; the next bytes are a new version's first."""
        self.hashed, self.version = Hashed(self.source), version
        self.continued = self.over_http = False
        self.file.seek(0)
        self.file.truncate()
        if version is None:
            _note(self.path).unlink(missing_ok=True)
        else:
            write_json(_note(self.path), asdict(version))

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

    def drop(self) -> None:
        """Delete the part and its note."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
            _note(self.path).unlink(missing_ok=True)


@contextlib.contextmanager
def part_of(source: SourceFile, work: Path, *, fresh: bool = False) -> Iterator[Part]:
    """Give the largest abandoned part of a file, or a new one."""
    path = work / f".{source.name}.{secrets.token_hex(6)}.part"
    try:
        _make(work)
        file = (None if fresh else _take_over(source, path)) or _new(path)
    except OSError as error:
        raise cannot_write(work / source.name, error, source.size) from error
    with file:
        part = Part(source, path, file, Hashed(source))
        _adopt(part)
        try:
            yield part
        finally:
            if not part.size:
                part.drop()


def tidy(work: Path, names: list[str]) -> None:
    """Remove abandoned parts of these files, and the folder if it is empty then."""
    for name in names:
        # The whole file is there: members of it are no longer needed.
        _remove_unused(work / f"{name}.members")
        for path in work.glob(f".{name}.*.part"):
            with contextlib.suppress(OSError), path.open("rb") as file:
                if _lock(file, exclusive=True):
                    path.unlink()
        for note in work.glob(f".{name}.*.json"):
            if not note.with_suffix(".part").exists():
                note.unlink(missing_ok=True)
    sweep(work)
    with contextlib.suppress(OSError):
        work.rmdir()


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Hold a folder that several runs may fill at once; the last one removes it.

    After an error it stays: a later run continues from it.
    """
    try:
        held = _hold(folder)
    except OSError as error:
        raise cannot_write(folder, error, None) from error
    try:
        yield
    finally:
        os.close(held)
    _remove_unused(folder)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()


def _hold(folder: Path) -> int:
    while True:
        _make(folder)
        with contextlib.suppress(FileNotFoundError):  # removed before it was held
            held = os.open(folder, os.O_RDONLY)
            with contextlib.suppress(OSError):
                fcntl.flock(held, fcntl.LOCK_SH)  # waits for one who removes it
            if _is_still(folder, held):
                return held
            os.close(held)


def _make(folder: Path) -> None:
    """Make a folder that a neighbour may remove, or make, at the same time."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError:  # its parent was removed in between
            continue
        except FileExistsError:  # it, or its parent, was there and is gone: or a file
            if any(p.is_file() or p.is_symlink() for p in (folder, folder.parent)):
                raise
            continue
        return


def _remove_unused(folder: Path) -> None:
    """Remove a folder unless a run holds it."""
    with contextlib.suppress(OSError):
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(folder, lock):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _is_still(path: Path, opened: int) -> bool:
    """Say whether a path leads to what was opened there."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(opened).st_ino
    return False


def n_arrived(work: Path, name: str) -> int:
    """Return the size of the largest part of a file that lies there."""
    sizes = [0]
    for path in work.glob(f".{name}.*.part"):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size)
    return max(sizes)


def _take_over(source: SourceFile, path: Path) -> BinaryIO | None:
    """Rename the largest part whose writer is gone; only one run can."""
    found = []
    for each in path.parent.glob(f".{source.name}.*.part"):
        with contextlib.suppress(OSError):
            found.append((each.stat().st_size, each))
    for _, each in sorted(found, reverse=True):
        with contextlib.suppress(OSError):
            file = each.open("r+b", buffering=0)
            if _lock(file, exclusive=True) and each.stat().st_size:
                with contextlib.suppress(FileNotFoundError):
                    _note(each).rename(_note(path))
                each.rename(path)
                return file
            file.close()
    return None


def _new(path: Path) -> BinaryIO:
    """Make an empty part and lock it; a neighbour may tidy it away in between."""
    while True:
        _make(path.parent)
        with contextlib.suppress(FileNotFoundError):
            file = path.open("x+b", buffering=0)
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_SH)  # waits for one who tidies, not long
            if path.exists():
                return file
            file.close()


def _adopt(part: Part) -> None:
    """Hash what a part taken over holds; without a note it is worth nothing."""
    try:
        version = Version(**json.loads(_note(part.path).read_bytes()))
    except (OSError, ValueError, TypeError):
        part.restart(None)
        return
    part.version, part.continued = version, True
    part.over_http = version.url.startswith("http:")
    part.file.seek(0)
    while chunk := part.file.read(CHUNK):
        part.hashed.update(chunk)


def _note(path: Path) -> Path:
    return path.with_suffix(".json")


def _lock(file: BinaryIO, *, exclusive: bool = False) -> bool:
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return os.fstat(file.fileno()).st_nlink > 0


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
