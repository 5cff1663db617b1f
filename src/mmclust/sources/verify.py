"""What a file must be, what it is, and whether that still agrees.

``source.json`` beside a source's files says what was fetched and verified.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, file_digest, held, read_note, read_record, write_json
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mmclust.core.registry import Source, SourceFile


_CACHE = ".mmclust/verified.json"


@dataclass(frozen=True)
class Facts:
    """What a file is."""

    size: int
    digests: dict[str, str]
    """By algorithm: sha256, and the strongest that is registered; none where the
    size alone was already wrong."""
    over_http: bool = False
    """Whether some of it came in the clear, where it could be changed."""


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

    def facts(self, *, over_http: bool = False) -> Facts:
        """Return what all of them are."""
        digests = {name: each.hexdigest() for name, each in self._hashers.items()}
        return Facts(self.size, digests, over_http)


def measure(path: Path, file: SourceFile) -> Facts | None:
    """Hash the file on disk; ``None`` when there is none.

    One whose size differs from the registered one is not read.
    """
    if not path.is_file():
        return None
    size = path.stat().st_size
    if file.size not in (None, size):
        return Facts(size, {})
    hashed, label = Hashed(file), f"checking {file.name}"
    with path.open("rb") as opened:
        for chunk in track_bytes(iter(lambda: opened.read(CHUNK), b""), label, size):
            hashed.update(chunk)
    return hashed.facts()


def decide(file: SourceFile, found: Facts | None) -> Literal["present", "download"]:
    """Say what must happen so that a file is there; nothing happens yet."""
    if found is None or _difference(file, found) is not None:
        return "download"
    return "present"


def verified_by(file: SourceFile) -> str:
    """Return the algorithm a file is held to, ``"first seen"`` or ``"none"``."""
    if file.first_seen:
        return "first seen"
    return next(iter(file.digests), "none")


def verify(
    file: SourceFile, facts: Facts, path: Path, where: object, *, do: str
) -> None:
    """Check a new file against the registry."""
    difference = _difference(file, facts)
    if difference is not None:
        expected, found = difference
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
        zipfile.ZipFile(path).close()
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


def _difference(file: SourceFile, facts: Facts) -> tuple[str, str] | None:
    """Return (expected, found) where the facts contradict the registry."""
    if file.size not in (None, facts.size):
        return f"{file.size:,} bytes", f"{facts.size:,} bytes"
    for algorithm, digest in list(file.digests.items())[:1]:
        found = facts.digests.get(algorithm)
        if found != digest:
            return f"{algorithm} {digest}", f"{algorithm} {found}"
    return None


@dataclass(frozen=True)
class Finding:
    """Whether a file is as ``source.json`` says, and in what it differs."""

    source: str
    name: str
    state: Literal["right", "damaged", "missing"]
    note: str = ""
    read: bool = True
    """Whether its bytes were read now, or had not changed since they were."""


def audit(source: Source, folder: Path, root: Path, *, deep: bool) -> list[Finding]:
    """Compare a source's files with what ``source.json`` and the registry say."""
    note = folder / "source.json"
    if not note.is_file():
        raise MmclustError(
            f"{source.name} is not complete",
            where=folder,
            expected="source.json, which comes with the last file",
            found="none",
            do=f"run `mmclust fetch {source.name}`",
        )
    again = f"run `mmclust fetch {source.name}`"
    facts = read_record(note, {"mirror": str, "files": dict}, do=again)
    # A damaged record of what was read only costs reading again.
    cache = read_note(root / _CACHE)
    held(note, facts["files"], dict.fromkeys(facts["files"], dict), again)
    for entry in facts["files"].values():
        held(note, entry, {"size": int, "sha256": str, "from": str}, again)
    findings = [
        _finding(source, folder, name, entry, cache, mirror=facts["mirror"], deep=deep)
        for name, entry in facts["files"].items()
    ]
    write_json(root / _CACHE, cache)
    return findings


def _finding(
    source: Source,
    folder: Path,
    name: str,
    entry: dict[str, Any],
    cache: dict[str, Any],
    *,
    mirror: str,
    deep: bool,
) -> Finding:
    path = folder / name
    if not path.is_file():
        return Finding(source.name, name, "missing", "no such file")
    if path.stat().st_size != entry["size"]:
        note = f"{path.stat().st_size:,} bytes instead of {entry['size']:,}"
        return Finding(source.name, name, "damaged", note, read=False)
    digest, read = _digest(path, cache, deep=deep)
    file = source.files.get(name)
    known = file.sha256 if file is not None and mirror == "upstream" else None
    whole = entry["from"] == "archive"
    for said, expected in (
        ("source.json says", entry["sha256"]),
        ("the registry says", known if whole else None),
    ):
        if expected is not None and expected != digest:
            note = f"sha256 {digest}, {said} {expected}"
            return Finding(source.name, name, "damaged", note, read)
    return Finding(source.name, name, "right", f"sha256 {digest}", read)


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
