"""Where image files lie: in folders or in archives, and there at which byte.

What cannot be read where it lies goes into ``images.zip`` beside the manifest, stored
uncompressed: the images that a benchmark takes of a ``.tar.gz``, which can only be read
from its start, and pictures that are rows of an array, as PNGs.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from itertools import product
from posixpath import splitext
from typing import TYPE_CHECKING

from mmclust.benchmarks._source_files import refuse
from mmclust.core.archives import (
    Place,
    archive_places,
    locate_members,
    opened,
    read_members,
    write_stored,
)
from mmclust.core.errors import MmclustError, some
from mmclust.core.manifest import Row
from mmclust.core.progress import track
from mmclust.core.text import same_form

if TYPE_CHECKING:
    from collections.abc import (
        Callable,
        Collection,
        Iterator,
        Mapping,
        Sequence,
    )
    from pathlib import Path

    from mmclust.core.types import Built

    Listing = dict[str, dict[str, Place]]
    """Class → file name → place."""


_PILLOW = """
    apng bmp dds dib gif ico jfif jpe jpeg jpg mpo pbm pcx pgm png pnm ppm psd qoi sgi
    tga tif tiff"""
# What Pillow must have been built with, for some endings.
_NEEDS = {"avif": "avif avifs", "jpg_2000": "j2c j2k jp2 jpc jpf jpx", "webp": "webp"}
# Pictures that it does not decode.
_OTHERS = """
    arw cr2 cr3 dng emf eps exr hdr heic heics heif hif jxl nef orf raf raw rw2 svg svgz
    wmf xcf"""


_NEEDED = {ending: need for need, names in _NEEDS.items() for ending in names.split()}
_IMAGES = {*_PILLOW.split(), *_NEEDED}


def is_image(name: str) -> bool:
    """Return whether a file is taken for an image by its name."""
    return not name.startswith(".") and _ending(name) in _IMAGES


def not_decoded_here(name: str) -> bool:
    """Return whether a name is that of a picture which Pillow here cannot decode."""
    ending = _ending(name)
    lacking = ending in _NEEDED and not _pillow_has(_NEEDED[ending])
    return lacking or ending in _OTHERS.split()


def _ending(name: str) -> str:
    return splitext(name)[1].lower().removeprefix(".")


@lru_cache
def _pillow_has(feature: str) -> bool:
    from PIL import features

    return bool(features.check(feature))


ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def locate_files(
    folders: Sequence[Path], files: Mapping[str, str], *, anywhere: bool
) -> dict[str, Place]:
    """Find image files by the last folder and the name of their path.

    They lie in the folders or in archives called like that folder; or ``anywhere``: in
    folders one deeper, and in all archives.
    """
    named = sorted({path.split("/")[0] for path in files.values()})
    stems = ["*"] if anywhere else named
    absent = {path: image_id for image_id, path in files.items()}
    places: dict[str, Place] = {}
    empty: list[str] = []
    for form in (str, same_form):
        # Names that look the same join, where they are not the same.
        wanted = {form(path): path for path in absent}
        if form is same_form and all(path.isascii() for path in absent):
            break
        for found in _found(folders, wanted, stems, form):
            for path, (place, size) in found.items():
                image_id = absent.pop(wanted.pop(path))
                places[image_id] = place
                if size == 0:
                    empty.append(image_id)
            if not wanted:
                break
    where = ", ".join(map(str, folders))
    if missing := sorted(absent.values()):
        packed = " or ".join(f"{stem}.zip or .tar(.gz)" for stem in stems)
        raise MmclustError(
            "Selected images have no file",
            where=where,
            expected=f"{len(files):,} image files, such as {files[missing[0]]}, in "
            f"folders or in {packed}",
            found=f"{len(missing):,} missing: {some(missing)}",
            do="fetch the source again, or count without images: --annotations-only",
        )
    refuse_empty(where, empty, "fetch the source again")
    return places


def _found(
    folders: Sequence[Path],
    absent: Mapping[str, str],
    stems: Sequence[str],
    form: Callable[[str], str],
) -> Iterator[dict[str, tuple[Place, int]]]:
    """Yield what each place holds of what is still ``absent`` by then."""
    for folder in folders:
        yield _found_in_folder(folder, absent, form)
        if stems == ["*"]:
            for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
                yield _found_in_folder(inner, absent, form)
    for folder, stem, ending in product(folders, stems, ARCHIVES):
        for archive in sorted(p for p in folder.glob(stem + ending) if p.is_file()):
            members = _members(archive, lambda name: form(_tail(name)) in absent)
            found: dict[str, tuple[Place, int]] = {}
            # Of several the one least deep, by name.
            for name in sorted(members, key=lambda name: (name.count("/"), name)):
                found.setdefault(form(_tail(name)), members[name])
            yield found


def _found_in_folder(
    root: Path, absent: Mapping[str, str], form: Callable[[str], str]
) -> dict[str, tuple[Place, int]]:
    found: dict[str, tuple[Place, int]] = {}
    wanted = {path.split("/")[0] for path in absent}
    there = wanted if form is str else {path.name for path in root.iterdir()}
    for folder in sorted(there):
        if form(folder) not in wanted or not (root / folder).is_dir():
            continue
        with os.scandir(root / folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = f"{folder}/{entry.name}"
                if form(path) in absent and entry.is_file():
                    place = Place(root, path), entry.stat().st_size
                    found.setdefault(form(path), place)
    return found


def _members(
    archive: Path, fits: Callable[[str], bool]
) -> dict[str, tuple[Place, int]]:
    """Return the members of a zip or tar that fit, with their sizes."""
    if archive.suffix != ".zip":
        places = locate_members(archive, fits)
        return {name: (place, place.length or 0) for name, place in places.items()}
    with opened(archive) as packed:
        infos = {name: info for name, info in packed.NameToInfo.items() if fits(name)}
        places = archive_places(archive, packed, infos)
    return {name: (places[name], info.file_size) for name, info in infos.items()}


def _tail(name: str) -> str:
    return "/".join(name.split("/")[-2:])


def row_at(
    image_id: str,
    place: Place | None,
    member: str,
    split: str,
    captions: tuple[str, ...] = (),
    size: tuple[int | None, int | None] = (None, None),
) -> Row:
    """Return the row of an image, and where its bytes are."""
    width, height = size
    where = vars(place) if place else {"container": None, "member": member}
    return Row(
        image_id, width=width, height=height, captions=captions, split=split, **where
    )


def captioned_rows(
    folders: Sequence[Path],
    files: Mapping[str, str],
    splits: Mapping[str, str],
    captions: Mapping[str, tuple[str, ...]],
    sizes: Mapping[str, tuple[int | None, int | None]] | None = None,
    *,
    images: bool,
    anywhere: bool = False,
) -> list[Row]:
    """Return a row for each image file; ``images``: find them, ``anywhere`` or not."""
    places = locate_files(folders, files, anywhere=anywhere) if images else {}
    none, sizes = (None, None), sizes or {}
    return [
        row_at(i, places.get(i), f, splits[i], captions.get(i, ()), sizes.get(i, none))
        for i, f in files.items()
    ]


def in_folder(folder: Path, classes: Collection[str] | None = None) -> Listing:
    """List ``folder/<class>/*``; other files than images are passed over."""
    listing: Listing = {}
    empty: list[str] = []
    if classes is None:
        classes = sorted(path.name for path in folder.iterdir())
    for name in classes:
        if not (folder / name).is_dir():
            continue
        listing[name] = {}
        with os.scandir(folder / name) as entries:
            images = [e for e in entries if is_image(e.name) and e.is_file()]
        for entry in images:
            listing[name][entry.name] = Place(folder, f"{name}/{entry.name}")
            if entry.stat().st_size == 0:
                empty.append(f"{name}/{entry.name}")
    refuse_empty(folder, empty)
    return listing


def in_archive(
    archive: Path, prefixes: Sequence[str], classes: Collection[str] | None = None
) -> Listing:
    """List ``<prefix>/<class>/*`` of a zip or tar; see :func:`in_folder`."""

    def fits(path: str) -> bool:
        above, _, name = path.rpartition("/")
        within, _, kind = above.rpartition("/")
        known = kind in classes if classes is not None else kind != ""
        return within in prefixes and known and is_image(name)

    found = _members(archive, fits)
    refuse_empty(archive, [name for name, (_, size) in found.items() if size == 0])
    listing: Listing = {}
    for member, (place, _) in found.items():
        *_, kind, name = member.split("/")
        listing.setdefault(kind, {})[name] = place
    return listing


def refuse_empty(
    where: object,
    empty: Collection[str],
    do: str = "fetch the source again, or take them out",
) -> None:
    """Refuse image files without a byte."""
    what, expected = "Image files are empty", "at least one byte each"
    refuse(sorted(empty), what, where, expected, "empty", do)


STORE = "images.zip"


def store_pictures(built: Built, out: Path) -> list[Row]:
    """Write pictures that lie in no file into ``images.zip``; point the rows to it."""
    if built.pictures is None:
        return built.rows
    pictures = track(built.pictures, f"writing {STORE}", len(built.rows), "images")
    places = write_stored(out / STORE, pictures)
    return [replace(row, **vars(places[row.member])) for row in built.rows]


def readable_rows(rows: Sequence[Row], out: Path) -> list[Row]:
    """Return the rows such that every image can be read where its row says."""
    # A folder's files and a zip's members can be read, compressed or not.
    unplaced = {r.container for r in rows if r.container and r.offset is None}
    packed = sorted(c for c in unplaced if not (c.is_dir() or c.suffix == ".zip"))
    if not packed:
        return list(rows)

    names: dict[tuple[Path | None, str], str] = {
        (row.container, row.member): f"{row.container.name}/{row.member}"
        if len(packed) > 1
        else row.member
        for row in rows
        if row.container in packed
    }
    read = (
        (names[archive, member], data)
        for archive in packed
        for member, data in read_members(archive, {m for c, m in names if c == archive})
    )
    images = track(read, f"writing {STORE}", len(names), "images")
    places = write_stored(out / STORE, images)
    moved = {key: vars(places[name]) for key, name in names.items()}
    return [replace(row, **moved.get((row.container, row.member), {})) for row in rows]
