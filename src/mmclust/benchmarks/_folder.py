"""What lies in a user's directory: pictures, and everything else."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmclust.benchmarks._classes import is_image
from mmclust.core.decoding import size_of
from mmclust.core.errors import MmclustError, some
from mmclust.core.progress import track

METADATA = ("metadata.csv", "metadata.jsonl")


@dataclass(frozen=True)
class Files:
    """A directory's files.

    Parameters
    ----------
    root
        The pictures' folder; the names below are paths below it.
    pictures
        Sorted.
    others
        Sorted; captions among them.
    metadata
        Of the files named so, in the root's folders or beside the root.
    folders
        The root's folders.
    """

    root: Path
    pictures: tuple[str, ...]
    others: tuple[str, ...]
    metadata: tuple[Path, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """What reading a picture tells."""

    width: int
    height: int
    sha256: str


def find_files(raw: Path) -> Files:
    """List a directory; hidden files and folders are passed over.

    Raises
    ------
    MmclustError
        When there is no picture, or a name is not UTF-8.
    """
    root = raw / "images" if (raw / "images").is_dir() else raw
    pictures: list[str] = []
    others: list[str] = []
    metadata: list[Path] = []
    if root != raw:
        metadata += [raw / name for name in METADATA if (raw / name).is_file()]
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(place) / name
            relative = path.relative_to(root).as_posix()
            if name in METADATA:
                metadata.append(path)
            elif not name.startswith(".") and relative != "source.json":
                (pictures if is_image(name) else others).append(relative)
    if not pictures:
        raise MmclustError(
            "There is no picture",
            where=root,
            expected="files that end in .jpg, .png or the like",
            found=f"{len(others):,} others: {some(sorted(others))}"
            if others
            else "no file",
            do="give the directory that holds the pictures with --raw",
        )
    odd = [repr(name) for name in pictures if not _is_text(name)]
    if odd:
        raise MmclustError(
            "File names are not UTF-8",
            where=root,
            expected="names that can be written down",
            found=some(odd),
            do="rename these files",
        )
    top = tuple(
        sorted(p.name for p in root.iterdir() if p.is_dir() and p.name[0] != ".")
    )
    return Files(
        root, tuple(sorted(pictures)), tuple(sorted(others)), tuple(metadata), top
    )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def identities(pictures: tuple[str, ...]) -> dict[str, str]:
    """Return each picture's id: its path without its ending, where that is one's own.

    Parameters
    ----------
    pictures
        Paths.

    Returns
    -------
    dict of str to str
        By path.
    """
    bare = {name: PurePosixPath(name).with_suffix("").as_posix() for name in pictures}
    counts = Counter(bare.values())
    return {name: b if counts[b] == 1 else name for name, b in bare.items()}


def folder_labels(files: Files) -> dict[str, str]:
    """Return the first folder on the way to each picture, its class.

    Raises
    ------
    MmclustError
        When a picture lies in no folder, or a folder holds no picture.
    """
    labels = {name: PurePosixPath(name).parts[0] for name in files.pictures}
    loose = [name for name in files.pictures if "/" not in name]
    bare = sorted(set(files.folders) - set(labels.values()))
    if loose or bare:
        raise MmclustError(
            "Pictures lie in no class folder" if loose else "Class folders are empty",
            where=files.root,
            expected="each picture in a folder named as its class, no folder empty",
            found=some(loose or bare),
            do="move or remove them, or leave benchmarks.folder.labels at auto",
        )
    return labels


def read_pictures(files: Files) -> dict[str, Picture]:
    """Read each picture: its digest, and its size from the header.

    Parameters
    ----------
    files
        Of the directory.

    Returns
    -------
    dict of str to Picture
        By path.

    Raises
    ------
    MmclustError
        Naming all files that are empty, too large or no images.
    """
    read: dict[str, Picture] = {}
    bad: list[str] = []
    for name in track(files.pictures, "reading pictures", unit="pictures"):
        path = files.root / name
        try:
            data = path.read_bytes()
            width, height = size_of(data, str(path))
        except OSError as error:
            bad.append(f"{name} ({error.strerror})")
        except MmclustError as error:
            bad.append(f"{name} ({error.parts['found']})")
        else:
            read[name] = Picture(width, height, hashlib.sha256(data).hexdigest())
    if bad:
        raise MmclustError(
            "Files with the ending of an image cannot be read as one",
            where=files.root,
            expected=f"{len(files.pictures):,} image files",
            found=f"{len(bad):,} others: {some(bad)}",
            do="repair them, or take them out of the directory",
        )
    return read
