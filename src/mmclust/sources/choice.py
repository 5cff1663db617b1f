"""Some pictures of a source instead of all: those that benchmarks, or a page, name.

Whoever knows the benchmarks says which (:class:`Choice`); this file gives it the lists
to read, wherever the source comes from, and says of which archives they are members.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mmclust.core.registry import Source

    Choose = Callable[[Path], dict[str, list[str]]]
    """Given the folder of a source's files, say which members are wanted of each
    archive of pictures."""

_IMAGE = re.compile(
    rb"""<img\b[^>]*?\bsrc\s*=\s*["']?([\w.-]+/[\w.-]+\.jpe?g)\b""", re.IGNORECASE
)


@dataclass(frozen=True)
class Choice:
    """Which pictures of a source are wanted."""

    lists: tuple[str, ...]
    """Other sources, whose files say which."""
    pictures: Callable[[Path], Iterable[str]]
    """Given a folder that holds a folder for each source, returns paths such as
    ``train2017/000000000009.jpg``; others than this source's do no harm."""


def chooser(
    choice: Choice | None,
    source: Source,
    mirror: str,
    folder_of: Callable[[str], Path],
) -> Choose | None:
    """Return what says which members of which archives are wanted."""
    if choice is None or not any(file.is_pictures for file in source.files.values()):
        return None

    def choose(folder: Path) -> dict[str, list[str]]:
        folders = {name: folder_of(name) for name in choice.lists}
        folders[source.name] = folder
        note = {"mirror": mirror, "protocol": source.protocol}
        with _side_by_side(folders, source.name, note) as raw:
            try:
                paths = plain_paths(source.name, choice.pictures(raw))
            except MmclustError as error:
                # To the reader these are the folders themselves.
                for name, real in folders.items():
                    error.replace(str(raw / name), str(real))
                error.replace(str(raw), str(folder.parent))
                raise
        return {
            name: [path for path in paths if _is_in(path, file.contains)]
            for name, file in source.files.items()
            if file.is_pictures
        }

    return choose


def _is_in(path: str, patterns: Iterable[str]) -> bool:
    return any(PurePosixPath(path).match(pattern) for pattern in patterns)


@contextlib.contextmanager
def _side_by_side(
    folders: Mapping[str, Path], own: str, note: Mapping[str, object]
) -> Iterator[Path]:
    """Give a folder that shows the sources' files as ``build`` is going to see them."""
    with tempfile.TemporaryDirectory(prefix="mmclust-") as made:
        raw = Path(made)
        for name, folder in folders.items():
            (raw / name).mkdir()
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.name != "source.json":
                    (raw / name / path.name).symlink_to(path.absolute())
        write_json(raw / own / "source.json", dict(note))
        yield raw


def listed_members(page: Path) -> list[str]:
    """Return the pictures an HTML page shows, as paths relative to it."""
    found = {match.decode() for match in _IMAGE.findall(page.read_bytes())}
    if not found:
        raise MmclustError(
            f"{page.name} lists no pictures",
            where=page,
            expected="<img src=folder/name.jpg>",
            found="none",
            do="the publisher's page may have changed: open it in a browser",
        )
    return sorted(found)


def plain_paths(where: str, names: Iterable[str]) -> list[str]:
    """Return the names, which become paths, if none leads out of its folder."""
    listed = sorted(set(names))
    for name in listed:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            raise MmclustError(
                "A selected member leads out of its folder",
                where=where,
                expected="a path inside the archive",
                found=repr(name),
                do="correct the list that names it",
            )
    return listed
