"""``data/sources.lock``: what files without a published digest were at first.

One line per file, ``source/file size sha256``, in git: whoever fetches later gets
the same bytes or an error. Nothing in it depends on who fetched, where or when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import alone, write_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.registry import Source

_HEAD = """\
# First-seen digests: files whose publisher states none, as this project first got
# them. `mmclust fetch` adds a line once and holds every later download to it.
# source/file size sha256
"""
_LINE = re.compile(r"([\w.+-]+/[\w.+-]+) ([1-9][0-9]*) ([0-9a-f]*)")
_DIGITS = 64


@dataclass(frozen=True)
class Seen:
    """Size and sha256 of the first download."""

    size: int
    sha256: str


def read_lock(path: Path) -> dict[str, Seen]:
    """Read the first-seen digests by ``source/file``; empty if there is no file."""
    seen: dict[str, Seen] = {}
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
        seen[name] = Seen(int(size), digest)
    return seen


def locked(source: Source, seen: dict[str, Seen]) -> Source:
    """Return the source with first-seen digests where none is published."""
    files = {}
    for name, file in source.files.items():
        first = seen.get(f"{source.name}/{name}")
        if first is None or file.digests:
            files[name] = file
        else:
            files[name] = replace(
                file, size=first.size, sha256=first.sha256, first_seen=True
            )
    return replace(source, files=files)


def record(path: Path, source: Source, files: dict[str, Any]) -> list[str]:
    """Write down files that had no digest; what is there stays."""
    new = {
        f"{source.name}/{name}": Seen(each["size"], each["sha256"])
        for name, each in files.items()
        if each["from"] == "archive" and not source.files[name].digests
    }
    with alone(path.parent):
        seen = read_lock(path)
        for name, mine in new.items():
            if seen.get(name, mine) != mine:
                raise _disagreement(path, name, seen[name], mine)
        if new.keys() - seen.keys():
            both = sorted({**seen, **new}.items())
            lines = [f"{name} {s.size} {s.sha256}\n" for name, s in both]
            write_bytes(path, (_HEAD + "".join(lines)).encode())
    return sorted(new)


def _disagreement(path: Path, name: str, before: Seen, now: Seen) -> MmclustError:
    return MmclustError(
        f"{name} is not the file that was first seen",
        where=path,
        expected=f"{before.size:,} bytes, sha256 {before.sha256}",
        found=f"{now.size:,} bytes, sha256 {now.sha256}",
        do="fetch again",
    )


def _malformed(path: Path, line: int, expected: str, found: object) -> MmclustError:
    return MmclustError(
        "The lock of first-seen digests is malformed",
        where=f"{path}: line {line}",
        expected=expected,
        found=found,
        do=f"restore {path.name} from git",
    )
