"""Images that lie in one folder per class: on disk, in a zip, or in a tar."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mmclust.benchmarks._image_places import is_image
from mmclust.core.archives import Place, archive_places, locate_members, opened
from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    Listing = dict[str, dict[str, Place]]
    """Class → file name → place."""


def in_folder(folder: Path, classes: Collection[str] | None = None) -> Listing:
    """List ``folder/<class>/*``; other files than images are passed over."""
    listing: Listing = {}
    empty: list[str] = []
    wanted = classes if classes is not None else _folders(folder)
    for name in wanted:
        if not (folder / name).is_dir():
            continue
        places = listing.setdefault(name, {})
        with os.scandir(folder / name) as entries:
            for entry in entries:
                if not is_image(entry.name) or not entry.is_file():
                    continue
                places[entry.name] = Place(folder, f"{name}/{entry.name}")
                if entry.stat().st_size == 0:
                    empty.append(f"{name}/{entry.name}")
    refuse_empty(folder, empty)
    return listing


def in_zip(archive: Path, prefixes: Sequence[str], classes: Collection[str]) -> Listing:
    """List ``<prefix>/<class>/*`` of a zip; see :func:`in_folder`."""
    with opened(archive) as packed:
        infos = {
            name: info
            for name, info in packed.NameToInfo.items()
            if _fits(name, prefixes, classes)
        }
    refuse_empty(archive, [name for name, i in infos.items() if i.file_size == 0])
    return _by_class(archive_places(archive, infos))


def in_tar(
    archive: Path, prefix: str, classes: Collection[str] | None = None
) -> Listing:
    """List ``<prefix>/<class>/*`` of a tar, compressed or not; see :func:`in_zip`."""

    def wanted(name: str) -> bool:
        return _fits(name, [prefix], classes)

    places = locate_members(archive, wanted)
    refuse_empty(archive, [name for name, p in places.items() if p.length == 0])
    return _by_class(places)


def require_classes(
    listing: Listing, classes: Collection[str], where: object, expected: str
) -> None:
    """Refuse classes without an image."""
    bare = [name for name in classes if not listing.get(name)]
    if bare:
        raise MmclustError(
            "Classes have no image",
            where=where,
            expected=expected,
            found=f"none of {len(bare)} of {len(classes)} classes: {some(bare)}",
            do="fetch the source again, or give its folder with --raw",
        )


def refuse_empty(where: object, empty: Collection[str]) -> None:
    """Refuse image files without a byte."""
    if empty:
        raise MmclustError(
            "Image files are empty",
            where=where,
            expected="at least one byte each",
            found=f"{len(empty):,} empty: {some(sorted(empty))}",
            do="fetch the source again, or take them out",
        )


def _folders(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.is_dir())


def _fits(path: str, prefixes: Sequence[str], classes: Collection[str] | None) -> bool:
    """Return whether a path is ``<prefix>/<class>/<image>``."""
    above, _, name = path.rpartition("/")
    within, _, kind = above.rpartition("/")
    fits = within in prefixes and kind != "" and (classes is None or kind in classes)
    return fits and is_image(name)


def _by_class(places: dict[str, Place]) -> Listing:
    listing: Listing = {}
    for member, place in places.items():
        above, _, name = member.rpartition("/")
        listing.setdefault(above.rpartition("/")[2], {})[name] = place
    return listing
