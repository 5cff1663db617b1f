"""What a file must be, what it is, and whether that still agrees.

``source.json`` beside a source's files says what was fetched and verified. Files
without a published digest are held to what they were at first: ``data/sources.lock``,
in git, has a line per file, ``source/file size sha256``. Whoever fetches later gets the
same bytes or an error; nothing in it depends on who fetched, where or when.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from mmclust.core.errors import MmclustError
from mmclust.core.io import (
    CHUNK,
    alone,
    file_digest,
    held,
    read_note,
    read_record,
    write_bytes,
    write_json,
)
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mmclust.core.registry import Source, SourceFile


_CACHE = ".mmclust/verified.json"


class Hashed:
    """Bytes of a file as they come: how many, and the digests that are needed."""

    def __init__(self, file: SourceFile) -> None:
        names = dict.fromkeys([*list(file.digests)[:1], "sha256"])
        self._hashers = {n: hashlib.new(n, usedforsecurity=False) for n in names}
        self.size = 0

    def update(self, chunk: bytes) -> None:
        """Add bytes."""
        self.size += len(chunk)
        for hasher in self._hashers.values():
            hasher.update(chunk)

    @property
    def digests(self) -> dict[str, str]:
        """By algorithm: sha256, and the strongest that is registered."""
        return {name: each.hexdigest() for name, each in self._hashers.items()}


def measure(path: Path, file: SourceFile) -> Hashed:
    """Hash a file on disk."""
    hashed, label = Hashed(file), f"checking {file.name}"
    with path.open("rb") as opened:
        chunks = iter(lambda: opened.read(CHUNK), b"")
        for chunk in track_bytes(chunks, label, path.stat().st_size):
            hashed.update(chunk)
    return hashed


def present(path: Path, file: SourceFile) -> Hashed | None:
    """Return what a file on disk is, if it is there and as it must be.

    One whose size differs from the registered one is not read.
    """
    if not path.is_file() or file.size not in (None, path.stat().st_size):
        return None
    found = measure(path, file)
    return found if difference(file, found) is None else None


def difference(file: SourceFile, found: Hashed) -> tuple[str, str] | None:
    """Return (expected, found) where a file contradicts the registry."""
    if file.size not in (None, found.size):
        return f"{file.size:,} bytes", f"{found.size:,} bytes"
    for algorithm, digest in list(file.digests.items())[:1]:
        if found.digests[algorithm] != digest:
            return f"{algorithm} {digest}", f"{algorithm} {found.digests[algorithm]}"
    return None


def verify(
    file: SourceFile, hashed: Hashed, there: Path | BinaryIO, where: object, *, do: str
) -> None:
    """Check a new file against the registry."""
    differs = difference(file, hashed)
    if differs is not None:
        expected, found = differs
        if file.first_seen:
            expected += ", as first seen"
            do += "; if its publisher meant it, remove its line from data/sources.lock"
        raise MmclustError(
            f"{file.name} is not the file that is registered",
            where=where,
            expected=expected,
            found=found,
            do=do,
        )
    if file.digests or not file.name.endswith(".zip"):
        return
    try:
        zipfile.ZipFile(there).close()
    except (zipfile.BadZipFile, OSError) as error:
        raise MmclustError(
            f"{file.name} is not a readable zip archive",
            where=where,
            expected="a complete zip archive",
            found=error,
            do=do,
        ) from error


def forget(out: Path) -> None:
    """Drop ``source.json`` before the first file that it describes changes."""
    (out / "source.json").unlink(missing_ok=True)


def track_bytes(
    chunks: Iterable[bytes], label: str, size: int | None
) -> Iterator[bytes]:
    """Show progress over pieces of 1 MiB that make up ``size`` bytes."""
    total = None if size is None else -(-size // CHUNK)
    return track(chunks, label, total=total, unit="MiB")


@dataclass(frozen=True)
class Finding:
    """Whether a file is as ``source.json`` says, and in what it differs."""

    path: Path
    state: Literal["right", "damaged", "missing"]
    note: str
    read: bool = True
    """Whether its bytes were read now, or had not changed since they were."""


def audit(source: Source, folder: Path, root: Path, *, deep: bool) -> list[Finding]:
    """Compare a source's files with what ``source.json`` and the registry say."""
    note, again = folder / "source.json", f"run `mmclust fetch {source.name}`"
    if not note.is_file():
        raise MmclustError(
            f"{source.name} is not complete",
            where=folder,
            expected="source.json, which comes with the last file",
            found="none",
            do=again,
        )
    facts = read_record(note, {"mirror": str, "files": dict}, do=again)
    held(note, facts["files"], dict.fromkeys(facts["files"], dict), again)
    for entry in facts["files"].values():
        held(note, entry, {"size": int, "sha256": str, "from": str}, again)
    # A damaged record of what was read only costs reading again.
    cache = read_note(root / _CACHE)
    findings = []
    for name, entry in facts["files"].items():
        file = source.files.get(name)
        whole = facts["mirror"] == "upstream" and entry["from"] == "archive"
        registered = file.sha256 if file is not None and whole else None
        findings.append(_finding(folder / name, entry, registered, cache, deep=deep))
    write_json(root / _CACHE, cache)
    return findings


def _finding(
    path: Path,
    entry: dict[str, Any],
    registered: str | None,
    cache: dict[str, Any],
    *,
    deep: bool,
) -> Finding:
    if not path.is_file():
        return Finding(path, "missing", "no such file")
    if path.stat().st_size != entry["size"]:
        note = f"{path.stat().st_size:,} bytes instead of {entry['size']:,}"
        return Finding(path, "damaged", note, read=False)
    digest, read = _digest(path, cache, deep=deep)
    for said, expected in (
        ("source.json says", entry["sha256"]),
        ("the registry says", registered),
    ):
        if expected not in (None, digest):
            note = f"sha256 {digest}, {said} {expected}"
            return Finding(path, "damaged", note, read)
    return Finding(path, "right", f"sha256 {digest}", read)


def _digest(path: Path, cache: dict[str, Any], *, deep: bool) -> tuple[str, bool]:
    """Return the sha256, and whether the file was read for it."""
    stat = path.stat()
    # Not the time alone: clocks jump, and copies keep times.
    print_ = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    key = str(path.absolute())
    held = cache.get(key)
    if not deep and isinstance(held, dict) and held.get("stat") == print_:
        return str(held["sha256"]), False
    digest = file_digest(path)
    cache[key] = {"stat": print_, "sha256": digest}
    return digest, True


_HEAD = """\
# First-seen digests: files whose publisher states none, as this project first got
# them. `mmclust fetch` adds a line once and holds every later download to it.
# source/file size sha256
"""
_LINE = re.compile(r"([\w.+-]+/[\w.+-]+) ([1-9][0-9]*) ([0-9a-f]*)")
_DIGITS = 64


def read_lock(path: Path) -> dict[str, tuple[int, str]]:
    """Read size and sha256 of first downloads by ``source/file``.

    It is empty if there is no file.
    """
    seen: dict[str, tuple[int, str]] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return seen
    except (OSError, UnicodeDecodeError) as error:
        raise _malformed(path, 1, "a readable text file", error) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise _malformed(path, number, "source/file size sha256", repr(line))
        name, size, digest = match.groups()
        if len(digest) != _DIGITS:
            found = f"{digest!r} ({len(digest)} characters)"
            raise _malformed(path, number, f"{_DIGITS} hexadecimal digits", found)
        if name in seen:
            raise _malformed(path, number, "every file once", f"{name!r} twice")
        seen[name] = int(size), digest
    return seen


def locked(source: Source, seen: dict[str, tuple[int, str]]) -> Source:
    """Return the source with first-seen digests where none is published."""
    files = dict(source.files)
    for name, file in files.items():
        first = seen.get(f"{source.name}/{name}")
        if first is not None and not file.digests:
            size, digest = first
            files[name] = replace(file, size=size, sha256=digest, first_seen=True)
    return replace(source, files=files)


def record(path: Path, source: Source, files: dict[str, Any]) -> list[str]:
    """Write down files that had no digest, and return their names; what is there stays.

    Two runs may have begun before either wrote.
    """
    names = [
        name
        for name, each in files.items()
        if each["from"] == "archive" and not source.files[name].digests
    ]
    with alone(path.parent):
        seen = read_lock(path)
        before = len(seen)
        for name in names:
            mine = files[name]["size"], files[name]["sha256"]
            first = seen.setdefault(f"{source.name}/{name}", mine)
            if first != mine:
                raise MmclustError(
                    f"{source.name}/{name} is not the file that was first seen",
                    where=path,
                    expected=f"{first[0]:,} bytes, sha256 {first[1]}",
                    found=f"{mine[0]:,} bytes, sha256 {mine[1]}",
                    do="fetch again",
                )
        if len(seen) > before:
            lines = [
                f"{n} {size} {digest}\n" for n, (size, digest) in sorted(seen.items())
            ]
            write_bytes(path, (_HEAD + "".join(lines)).encode())
    return names


def _malformed(path: Path, line: int, expected: str, found: object) -> MmclustError:
    return MmclustError(
        "The lock of first-seen digests is malformed",
        where=f"{path}: line {line}",
        expected=expected,
        found=found,
        do=f"restore {path.name} from git",
    )
