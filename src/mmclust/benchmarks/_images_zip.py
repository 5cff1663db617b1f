"""``images.zip``: pictures that cannot be read where they lie, beside the manifest.

A ``.tar.gz`` can only be read from its start, so that reading its images in any other
order costs a pass over all of it each time. Of these archives alone the images that a
benchmark takes are written anew: their own bytes, uncompressed. Plain tars, zips and
folders are read where they lie. Pictures that lie in no file of their own (rows of an
array) become PNGs there.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from mmclust.core.archives import (
    data_offsets,
    is_compressed,
    read_members,
    write_stored,
)
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Row
    from mmclust.core.types import Built

NAME = "images.zip"


def store_pictures(built: Built, out: Path) -> list[Row]:
    """Write ``images.zip`` where pictures lie in no file; point the rows to it."""
    if built.pictures is None:
        return built.rows
    pictures = track(built.pictures, f"writing {NAME}", len(built.rows), "images")
    places = write_stored(out / NAME, pictures)
    return [
        replace(row, container=p.container, offset=p.offset, length=p.length)
        for row in built.rows
        for p in (places[row.member],)
    ]


def readable_rows(
    rows: Sequence[Row], out: Path, earlier: Path | None = None
) -> list[Row]:
    """Return the rows such that every image can be read where its row says."""
    wanted: dict[Path, dict[str, int]] = {}
    packed = {c for row in rows if (c := row.container) and _is_packed(c)}
    for row in rows:
        if row.container in packed:
            wanted.setdefault(row.container, {})[row.member] = row.length or 0
    if not wanted:
        return list(rows)
    path = out / NAME
    before = (earlier or out) / NAME
    if not _is_there(before, wanted) or not _linked(before, path):
        _write(path, wanted)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    starts = data_offsets(path, infos)
    offsets = {info.filename: start for info, start in zip(infos, starts, strict=True)}
    return [
        replace(row, container=path, member=name, offset=offsets[name])
        if row.container in packed
        and (name := _name(wanted, row.container, row.member))
        else row
        for row in rows
    ]


def _linked(earlier: Path, path: Path) -> bool:
    """Give a file a second name, where the file system can; it is never changed."""
    if path == earlier:
        return True
    try:
        path.hardlink_to(earlier.resolve())
    except OSError:
        return False
    return True


def _is_packed(container: Path) -> bool:
    """Return whether a container is a tar whose bytes cannot be read by offset."""
    if container.is_dir() or zipfile.is_zipfile(container):
        return False
    return container.suffix != ".tar" or is_compressed(container)


def _name(wanted: dict[Path, dict[str, int]], container: Path, member: str) -> str:
    """Return the name in ``images.zip``: the member's own, if one archive is all."""
    return member if len(wanted) == 1 else f"{container.name}/{member}"


def _write(path: Path, wanted: dict[Path, dict[str, int]]) -> None:
    """Write the zip, in the order of the archives."""
    total = sum(map(len, wanted.values()))
    images = track(_images(wanted), f"writing {path.name}", total, "images")
    write_stored(path, images, _identity(wanted))


def _images(wanted: dict[Path, dict[str, int]]) -> Iterator[tuple[str, bytes]]:
    for container in sorted(wanted):
        for member, data in read_members(container, wanted[container]):
            yield _name(wanted, container, member), data


def _identity(wanted: Iterable[Path]) -> bytes:
    """Return what tells archives apart: name, size, and the check at their end."""
    lines = []
    for path in sorted(wanted):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64))
            tail = zlib.crc32(file.read())
        lines.append(f"{path.name} {path.stat().st_size} {tail:08x}")
    return "\n".join(lines).encode()


def _is_there(path: Path, wanted: dict[Path, dict[str, int]]) -> bool:
    """Return whether the zip holds these members of these archives already."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        held = {info.filename: info.file_size for info in archive.infolist()}
        same = archive.comment == _identity(wanted)
    expected = {
        _name(wanted, container, member): size
        for container, members in wanted.items()
        for member, size in members.items()
    }
    return same and held == expected
