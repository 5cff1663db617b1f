"""``data/sources.lock``: what files without a published digest were at first.

One line per file, ``source/file size sha256``, in git: whoever fetches later gets
the same bytes or an error. Nothing in it depends on who fetched, where or when.
"""

from __future__ import annotations

import re
from dataclasses import replace
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
