"""What a file must be, what it is, and whether that agrees."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mmclust.core.registry import SourceFile

Action = Literal["present", "download"]


@dataclass(frozen=True)
class Facts:
    """What a file is.

    Parameters
    ----------
    size
        Bytes.
    digests
        By algorithm: sha256, and the strongest that is registered; none where the
        size alone was already wrong.
    over_http
        Whether some of it came in the clear, where it could be changed.
    """

    size: int
    digests: dict[str, str]
    over_http: bool = False


def measure(path: Path, file: SourceFile) -> Facts | None:
    """Hash the file on disk; ``None`` when there is none.

    One whose size differs from the registered one is not read.
    """
    if not path.is_file():
        return None
    size = path.stat().st_size
    if file.size not in (None, size):
        return Facts(size, {})
    hashers, label = hashers_of(file), f"checking {file.name}"
    with path.open("rb") as opened:
        for chunk in track_bytes(iter(lambda: opened.read(CHUNK), b""), label, size):
            for hasher in hashers.values():
                hasher.update(chunk)
    return Facts(size, {name: hasher.hexdigest() for name, hasher in hashers.items()})


def decide(file: SourceFile, found: Facts | None) -> Action:
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
    if not file.digests and file.name.endswith(".zip"):
        _check_archive(path, file, where, do)


def hashers_of(file: SourceFile) -> dict[str, hashlib._Hash]:
    """Return a fresh hasher for each digest that is needed of a file."""
    names = dict.fromkeys([*list(file.digests)[:1], "sha256"])
    return {name: hashlib.new(name, usedforsecurity=False) for name in names}


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


def _check_archive(path: Path, file: SourceFile, where: object, do: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise MmclustError(
            f"{file.name} is not a readable zip archive",
            where=where,
            expected="a complete zip archive",
            found=error,
            do=do,
        ) from error
