"""Where image files lie: in a folder, or in an archive and at which byte."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from posixpath import splitext
from typing import TYPE_CHECKING

from mmclust.benchmarks._raw import data_offsets, is_stored, opened
from mmclust.core.errors import MmclustError, some
from mmclust.core.text import same_form

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterable, Mapping
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


@dataclass(frozen=True)
class Place:
    """The bytes of one image.

    Parameters
    ----------
    container
        A folder or an archive.
    member
        Path inside it.
    offset, length
        Bytes from the archive's start, and how many, where the image is stored
        uncompressed in one; ``None`` otherwise.
    """

    container: Path
    member: str
    offset: int | None = None
    length: int | None = None


def locate_images(raw: Path, folder: str, files: Mapping[str, str]) -> dict[str, Place]:
    """Find image files, in ``raw/<folder>/`` or else in ``raw/<folder>.zip``.

    Parameters
    ----------
    raw
        Folder of the source.
    folder
        For instance ``train2017``.
    files
        File name of each image id.

    Returns
    -------
    dict of str to Place
        Of each image id.

    Raises
    ------
    MmclustError
        When a file name is no plain name, files are missing or empty (how many,
        and which first), or the archive is damaged.
    """
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
    """Return, of names that are not there, what looks the same and is.

    Parameters
    ----------
    names
        Those looked for.
    listed
        Gives the names that are there; called when it can matter.

    Returns
    -------
    dict of str to str
        Of each name that differs in Unicode form alone from one other.
    """
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


def archive_places(
    archive: Path, found: Mapping[str, zipfile.ZipInfo]
) -> dict[str, Place]:
    """Return where members of a zip lie, by the keys they are given under.

    Raises
    ------
    MmclustError
        When the archive ends early or is no longer what its directory says.
    """
    # Every header is visited, so that an archive cut short is noticed now.
    offsets = data_offsets(archive, list(found.values()))
    return {
        image_id: Place(archive, info.filename, offset, info.file_size)
        if is_stored(info)
        else Place(archive, info.filename)
        for (image_id, info), offset in zip(found.items(), offsets, strict=True)
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
