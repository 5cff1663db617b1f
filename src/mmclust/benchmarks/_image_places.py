"""Where image files lie: in folders or in archives, and there at which byte."""

from __future__ import annotations

import os
from collections import Counter
from functools import lru_cache
from pathlib import PurePosixPath
from posixpath import splitext
from typing import TYPE_CHECKING

from mmclust.core.archives import (
    Place,
    archive_places,
    locate_members,
    opened,
)
from mmclust.core.errors import MmclustError, some
from mmclust.core.manifest import Row
from mmclust.core.text import same_form

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


_PILLOW = """
    apng bmp dds dib gif ico jfif jpe jpeg jpg mpo pbm pcx pgm png pnm ppm psd qoi sgi
    tga tif tiff"""
_NEEDS = {
    "avif": "avif avifs",
    "jpg_2000": "j2c j2k jp2 jpc jpf jpx",
    "webp": "webp",
}
_OTHERS = """
    arw cr2 cr3 dng emf eps exr hdr heic heics heif hif jxl nef orf raf raw rw2 svg svgz
    wmf xcf"""


def _endings(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


SUFFIXES = _endings(" ".join([_PILLOW, *_NEEDS.values()]))
"""Endings of files that are taken for images, in lower case: what Pillow decodes."""
NEEDS = {feature: _endings(names) for feature, names in _NEEDS.items()}
"""What Pillow must have been built with, for some of them."""
UNDECODED = _endings(_OTHERS)
"""Endings of pictures that Pillow does not decode."""


def is_image(name: str) -> bool:
    """Return whether a file is taken for an image by its name."""
    return not name.startswith(".") and splitext(name)[1].lower() in SUFFIXES


def not_decoded_here(name: str) -> bool:
    """Return whether a name is that of a picture which Pillow here cannot decode."""
    suffix = splitext(name)[1].lower()
    needed = next((n for n, suffixes in NEEDS.items() if suffix in suffixes), "")
    return suffix in UNDECODED or not _pillow_has(needed)


@lru_cache
def _pillow_has(feature: str) -> bool:
    from PIL import features

    return not feature or bool(features.check(feature))


def locate_images(raw: Path, folder: str, files: Mapping[str, str]) -> dict[str, Place]:
    """Find image files, in ``raw/<folder>/`` or else in ``raw/<folder>.zip``."""
    _refuse_paths(raw, files)
    places: dict[str, Place] = {}
    empty: list[str] = []
    if (raw / folder).is_dir():
        for image_id, name in files.items():
            path = raw / folder / name
            if path.is_file():
                places[image_id] = Place(raw / folder, name)
        absent = {i: name for i, name in files.items() if i not in places}
        alike = in_other_form(
            absent.values(), lambda: (path.name for path in (raw / folder).iterdir())
        )
        for image_id, name in absent.items():
            if name in alike and (raw / folder / alike[name]).is_file():
                places[image_id] = Place(raw / folder, alike[name])
        empty += [
            image_id
            for image_id, place in places.items()
            if (place.container / place.member).stat().st_size == 0
        ]
    absent = {i: name for i, name in files.items() if i not in places}
    archive = raw / f"{folder}.zip"
    if absent and archive.is_file():
        found = _members(archive, folder, absent)
        empty += [i for i, info in found.items() if info.file_size == 0]
        places |= archive_places(archive, found)
    _refuse_missing(raw, folder, files, places, empty)
    return places


def _members(
    archive: Path, folder: str, files: Mapping[str, str]
) -> dict[str, zipfile.ZipInfo]:
    with opened(archive) as packed:
        members = packed.NameToInfo
        named = {i: f"{folder}/{name}" for i, name in files.items()}
        absent = [name for name in named.values() if name not in members]
        alike = in_other_form(absent, lambda: members)
        found = {i: alike.get(name, name) for i, name in named.items()}
        return {i: members[name] for i, name in found.items() if name in members}


def in_other_form(
    names: Iterable[str], listed: Callable[[], Iterable[str]]
) -> dict[str, str]:
    """Return, of names that are not there, what looks the same and is."""
    wanted = [name for name in names if not name.isascii()]
    if not wanted:
        return {}
    forms: dict[str, list[str]] = {}
    for name in listed():
        forms.setdefault(same_form(name), []).append(name)
    asked = Counter(map(same_form, wanted))
    return {
        name: forms[form][0]
        for name in wanted
        for form in [same_form(name)]
        if asked[form] == 1 and len(forms.get(form, ())) == 1
    }


def _refuse_paths(raw: Path, files: Mapping[str, str]) -> None:
    bad = [name for name in files.values() if PurePosixPath(name).name != name]
    if bad:
        raise MmclustError(
            "An image's file name is not a plain name",
            where=raw,
            expected="a name such as 000000000009.jpg, without folders",
            found=some(bad),
            do="fetch the source again, or correct file_name in the annotations",
        )


def _refuse_missing(
    raw: Path,
    folder: str,
    files: Mapping[str, str],
    places: Mapping[str, Place],
    empty: list[str],
) -> None:
    missing = sorted(image_id for image_id in files if image_id not in places)
    if missing:
        raise MmclustError(
            "Selected images have no file",
            where=f"{raw / folder}, {raw / f'{folder}.zip'}",
            expected=f"{len(files):,} image files",
            found=f"{len(missing):,} missing: {some(missing)}",
            do="fetch the source again, or count without images: --annotations-only",
        )
    if empty:
        raise MmclustError(
            "Image files are empty",
            where=f"{raw / folder}, {raw / f'{folder}.zip'}",
            expected="at least one byte each",
            found=f"{len(empty):,} empty: {some(sorted(empty))}",
            do="fetch the source again",
        )


ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def locate_files(
    folders: Sequence[Path],
    files: Mapping[str, str],
    *,
    archives: Sequence[str] | None = None,
    below: bool = False,
) -> dict[str, Place]:
    """Find image files by the last folder and the name of their path."""
    stems = archives or sorted({path.split("/")[0] for path in files.values()})
    absent = {path: image_id for image_id, path in files.items()}
    places: dict[str, Place] = {}
    empty: list[str] = []
    for form in (str, same_form):
        # Names that look the same join, where they are not the same.
        wanted = {form(path): path for path in absent}
        if form is same_form and not any(not path.isascii() for path in absent):
            break
        for found in _found(folders, wanted, stems, below, form):
            for path, (place, size) in found.items():
                image_id = absent.pop(wanted.pop(path))
                places[image_id] = place
                if size == 0:
                    empty.append(image_id)
            if not wanted:
                break
    _refuse_absent(folders, stems, files, sorted(absent.values()), sorted(empty))
    return places


def _found(
    folders: Sequence[Path],
    absent: Mapping[str, str],
    stems: Sequence[str],
    below: bool,
    form: Callable[[str], str],
) -> Iterator[dict[str, tuple[Place, int]]]:
    """Yield what each place holds of what is still ``absent`` by then."""
    for folder in folders:
        yield _found_in_folder(folder, absent, form)
        if below:
            for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
                yield _found_in_folder(inner, absent, form)
    for folder in folders:
        for stem in stems:
            for ending in ARCHIVES:
                archives = (
                    path for path in folder.glob(stem + ending) if path.is_file()
                )
                for archive in sorted(archives):
                    kind = _found_in_zip if ending == ".zip" else _found_in_tar
                    yield kind(archive, absent, form)


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


def _found_in_zip(
    archive: Path, absent: Mapping[str, str], form: Callable[[str], str]
) -> dict[str, tuple[Place, int]]:
    with opened(archive) as packed:
        chosen = _shortest([i.filename for i in packed.infolist()], absent, form)
        infos = {path: packed.getinfo(name) for path, name in chosen.items()}
    places = archive_places(archive, infos)
    return {path: (places[path], info.file_size) for path, info in infos.items()}


def _found_in_tar(
    archive: Path, absent: Mapping[str, str], form: Callable[[str], str]
) -> dict[str, tuple[Place, int]]:
    members = locate_members(archive, lambda name: form(_tail(name)) in absent)
    chosen = _shortest(list(members), absent, form)
    return {p: (members[name], members[name].length or 0) for p, name in chosen.items()}


def _tail(name: str) -> str:
    return "/".join(name.split("/")[-2:])


def _shortest(
    names: Sequence[str], absent: Mapping[str, str], form: Callable[[str], str]
) -> dict[str, str]:
    """Return the member of each path; of several, the one least deep, by name."""
    chosen: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (name.count("/"), name)):
        if (path := form(_tail(name))) in absent:
            chosen.setdefault(path, name)
    return chosen


def _refuse_absent(
    folders: Sequence[Path],
    stems: Sequence[str],
    files: Mapping[str, str],
    missing: list[str],
    empty: list[str],
) -> None:
    where = ", ".join(map(str, folders))
    if missing:
        archives = " or ".join(f"{stem}.zip or .tar(.gz)" for stem in stems)
        raise MmclustError(
            "Selected images have no file",
            where=where,
            expected=f"{len(files):,} image files, such as {files[missing[0]]}, in "
            f"folders or in {archives}",
            found=f"{len(missing):,} missing: {some(missing)}",
            do="fetch the source again, or count without images: --annotations-only",
        )
    if empty:
        raise MmclustError(
            "Image files are empty",
            where=where,
            expected="at least one byte each",
            found=f"{len(empty):,} empty: {some(empty)}",
            do="fetch the source again",
        )


def row_at(
    image_id: str,
    place: Place | None,
    *,
    member: str,
    captions: tuple[str, ...],
    split: str,
) -> Row:
    """Return the row of an image, and where its bytes are."""
    return Row(
        image_id=image_id,
        container=place.container if place else None,
        member=place.member if place else member,
        offset=place.offset if place else None,
        length=place.length if place else None,
        width=None,
        height=None,
        captions=captions,
        split=split,
    )
