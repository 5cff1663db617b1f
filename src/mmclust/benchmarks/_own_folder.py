"""A user's directory: its pictures, the splits and classes its folders name, the rest.

Nothing is opened that is no plain file: a fifo called ``a.png`` would be waited for.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass, replace
from posixpath import splitext
from typing import TYPE_CHECKING, NamedTuple

from mmclust.benchmarks._image_places import is_image, not_decoded_here
from mmclust.core.archives import check_folder
from mmclust.core.errors import MmclustError, some
from mmclust.core.images import size_of
from mmclust.core.progress import track
from mmclust.core.text import look_alikes, same_form

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

IMAGES = "images"  # the folder of pictures, where there is one of this name
ALONE = (IMAGES, "imagefolder")
"""Names, in any case, of a folder that is passed when it alone holds pictures; so is
one whose folders are splits."""
_SPLITS = {
    "train": "train|training",
    "val": "val|valid|validation|dev|development",
    "test": "test|testing|eval|evaluation",
}
_AFTER = r"(?:[-_. ]?(?:set|split|data|images?|imgs|\d+))*"
_NAMED = {
    split: re.compile(f"(?:{names}){_AFTER}", re.IGNORECASE)
    for split, names in _SPLITS.items()
}


@dataclass(frozen=True)
class Files:
    """A directory's files, hidden ones apart; paths are sorted."""

    raw: Path
    root: Path  # the pictures' folder: `raw`, or a folder in it
    pictures: tuple[str, ...]  # below `root`
    others: tuple[str, ...]  # all other plain files, below `raw`
    special: tuple[str, ...]
    """What is neither file nor folder, or a link to a folder, which is not followed."""
    splits: dict[str, str]
    """What each first folder below ``root`` names; empty unless all of them name a
    split, and no picture lies beside them."""
    folders: tuple[str, ...]
    """Of the first level below ``root``, and where these are splits of the second."""


class Picture(NamedTuple):
    """What reading a picture tells."""

    size: tuple[int, int]
    sha256: str


def find_files(raw: Path) -> Files:
    """List a directory; hidden files and folders are passed over."""
    check_folder(raw)
    found = dict(_walk(raw))
    images = raw / IMAGES
    if images.is_symlink() and images.is_dir():
        del found[IMAGES]
        found |= {f"{IMAGES}/{name}": kind for name, kind in _walk(images)}
    named = sorted(
        name
        for name, kind in found.items()
        if kind != "folder" and is_image(name) and not not_decoded_here(name)
    )
    top = _pictures_folder(raw, named)
    taken = {name for name in named if name.startswith(top)}
    pictures = [name.removeprefix(top) for name in named if name in taken]
    rest = sorted(found.keys() - taken)
    others = [name for name in rest if found[name] == "file"]
    _refuse_none(raw / top, pictures, others)
    splits = _splits(pictures)
    depth = top.count("/") + (2 if splits else 1)
    return Files(
        raw,
        raw / top,
        tuple(pictures),
        tuple(name for name in others if name != "source.json"),
        tuple(name for name in rest if found[name] == "special"),
        splits,
        tuple(
            name.removeprefix(top)
            for name in rest
            if found[name] == "folder"
            and name.startswith(top)
            and name.count("/") < depth
        ),
    )


def _walk(raw: Path) -> Iterator[tuple[str, str]]:
    """Yield each path below a folder, and whether it is a folder, a file or special."""
    waiting = [""]
    while waiting:
        above = waiting.pop()
        try:
            with os.scandir(raw / above) as entries:
                listed = [e for e in entries if not e.name.startswith(".")]
        except OSError as error:
            raise MmclustError(
                "A folder cannot be listed",
                where=raw / above,
                found=error.strerror,
                do="see that you may read it, or take it out of the directory",
            ) from error
        for entry in listed:
            name = f"{above}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                waiting.append(f"{name}/")
                yield name, "folder"
            else:
                yield name, "file" if entry.is_file() else "special"


def _pictures_folder(raw: Path, pictures: Iterable[str]) -> str:
    """Return the folder that holds the pictures, with a slash, or nothing."""
    top = passed = f"{IMAGES}/" if (raw / IMAGES).is_dir() else ""
    below = [name.removeprefix(top) for name in pictures if name.startswith(top)]
    while not _splits(below):
        first = {name.partition("/")[0] if "/" in name else "" for name in below}
        alone = first.pop() if len(first) == 1 else ""
        if not alone:
            return top
        below = [name.partition("/")[2] for name in below]
        passed += f"{alone}/"
        top = passed if alone.lower() in ALONE else top
    return passed


def _refuse_none(root: Path, pictures: list[str], others: list[str]) -> None:
    if not pictures:
        raise MmclustError(
            "There is no picture",
            where=root,
            expected="files that end in .jpg, .png or the like",
            found=f"{len(others):,} others: {some(map(written, others))}"
            if others
            else "no file",
            do="give the directory that holds the pictures",
        )
    names = (str(root), *pictures)
    odd = [
        repr(n) for n in names if n.encode("utf-8", "backslashreplace").decode() != n
    ]
    if odd:
        raise MmclustError(
            "File names are not UTF-8",
            where=written(str(root)),
            expected="names that can be written down",
            found=some(odd),
            do="rename these files",
        )


def written(name: str) -> str:
    """Return a name as a terminal can show it: what is no text or moves is escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in name
    )


def split_named(folder: str) -> str | None:
    """Return the split that a folder's name stands for, such as ``Test_images``."""
    named = (s for s, pattern in _NAMED.items() if pattern.fullmatch(folder.strip()))
    return next(named, None)


def _splits(pictures: Iterable[str]) -> dict[str, str]:
    first = {name.partition("/")[0] if "/" in name else "" for name in pictures}
    splits = {folder: named for folder in first if (named := split_named(folder))}
    return splits if len(splits) == len(first) else {}


def identities(files: Files) -> dict[str, str]:
    """Return each picture's id: its path without its ending, where that is one's own.

    Ids are in NFC, so that they equal what another system writes for the same name.
    """
    bare = {name: splitext(name)[0] for name in files.pictures}
    whole: set[str] = set()
    while True:
        ids = {n: same_form(n if n in whole else b) for n, b in bare.items()}
        counts = Counter(ids.values())
        twice = {name for name, i in ids.items() if counts[i] > 1}
        if not twice - whole:
            break
        whole |= twice
    if twice:
        raise MmclustError(
            "Pictures have the same name",
            where=files.root,
            expected="names that differ in more than their Unicode form",
            found=f"names that {look_alikes(twice)}",
            do="rename one of each pair",
        )
    return ids


def without(files: Files, gone: Collection[str]) -> Files:
    """Return the files with some pictures among the others."""
    gone = set(gone)
    kept = tuple(name for name in files.pictures if name not in gone)
    _refuse_none(files.root, list(kept), sorted(gone))
    top = files.root.relative_to(files.raw)
    others = sorted([*files.others, *((top / name).as_posix() for name in gone)])
    return replace(files, pictures=kept, others=tuple(others))


def class_folders(files: Files) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the class folder of each picture, pictures in none, and empty folders."""
    depth = 1 if files.splits else 0
    parts = {name: name.split("/") for name in files.pictures}
    loose = [name for name, p in parts.items() if len(p) < depth + 2]
    held = {"/".join(p[: d + 1]) for p in parts.values() for d in range(len(p) - 1)}
    bare = [written(folder) for folder in files.folders if folder not in held]
    classes = {name: same_form(p[depth]) for name, p in parts.items() if p[depth + 1 :]}
    return classes, loose, bare


def folder_labels(files: Files, *, strict: bool = True) -> dict[str, str]:
    """Return the class of each picture: its first folder, below that of its split."""
    classes, loose, bare = class_folders(files)
    if strict and (loose or bare):
        splits = f" below {', '.join(sorted(files.splits))}" if files.splits else ""
        raise MmclustError(
            "Pictures lie in no class folder" if loose else "Class folders are empty",
            where=files.root,
            expected="each picture in a folder named as its class, no folder empty"
            + (f"; the classes are the folders{splits}" if splits else ""),
            found=some(loose or bare),
            do="move or remove them, set strays to leave_out, or labels to auto",
        )
    return classes


def told_of_folders(files: Files) -> list[str]:
    """Return what to say of the first folders' names, if any is a split's."""
    first = sorted({n.partition("/")[0] for n in files.pictures if "/" in n})
    if files.splits:
        listed = ", ".join(f"{f}/ ({files.splits[f]})" for f in sorted(files.splits))
        return [f"folders taken for splits, not for classes: {listed}"]
    if named := [folder for folder in first if split_named(folder)]:
        others = [f"{f}/" for f in first if f not in named]
        loose = [n for n in files.pictures if "/" not in n]
        listed = ", ".join(f"{folder}/" for folder in named)
        beside = some([*others, *loose], 3)
        return [f"folders NOT taken for splits: {listed}; beside them lie {beside}"]
    return []


def read_pictures(
    files: Files, strays: str = "fail"
) -> tuple[dict[str, Picture], list[str]]:
    """Read each picture: its digest, and its size from the header.

    Returned with what cannot be read, which is refused unless it may be left out.
    """
    read: dict[str, Picture] = {}
    bad: list[str] = []
    for name in track(files.pictures, "reading pictures", unit="pictures"):
        path = files.root / name
        try:
            data = _bytes(path)
            size = size_of(data, str(path))
        except OSError as error:
            bad.append(f"{name} ({error.strerror})")
        except MemoryError:
            bad.append(f"{name} (larger than the memory: {path.stat().st_size:,} B)")
        except MmclustError as error:
            bad.append(f"{name} ({error.parts['found']})")
        else:
            read[name] = Picture(size, hashlib.sha256(data).hexdigest())
    if bad and strays == "fail":
        raise MmclustError(
            "Files with the ending of an image cannot be read as one",
            where=files.root,
            expected=f"{len(files.pictures):,} image files",
            found=f"{len(bad):,} others: {some(bad)}",
            do="repair them, or take them out of the directory",
        )
    return read, [name for name in files.pictures if name not in read]


def _bytes(path: Path) -> bytes:
    """Return a plain file's bytes; what is none is never opened."""
    if path.is_file():
        return path.read_bytes()
    if path.is_symlink() and not path.exists():
        raise OSError(0, "a link to nothing")
    kind = "a folder" if path.is_dir() else "a fifo, socket or device"
    raise OSError(0, f"{kind}, which is not opened")
