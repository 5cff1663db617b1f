"""What every layout writes: a built benchmark's rows with their classes, and how.

An export is complete or not at all; images are linked where they lie unpacked.
"""

from __future__ import annotations

import errno
import filecmp
import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.images import read_files
from mmclust.core.io import alone, private, writing
from mmclust.core.progress import track
from mmclust.core.text import same_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest


_UNFIT = re.compile(
    r"[<>:\"|?*\x00-\x1f]|[. ]$"
    r"|^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)\s*(\.|$)",
    re.IGNORECASE,
)  # names that Windows does not take, or takes for a device
HIDDEN = -1  # the label of an image whose class is not given out


@dataclass(frozen=True)
class Exported:
    """What an export did: where it is, whether it had to be written, what to say."""

    target: Path
    images: int
    written: bool
    told: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """A built benchmark of n images."""

    manifest: Manifest
    labels: np.ndarray[Any, Any]
    """int32 (n,); :data:`HIDDEN` where the class is not given out, everywhere when
    there are no classes."""
    names: list[str]  # of the class of each image; empty where there is none

    @property
    def class_names(self) -> list[str]:
        """The name of each label; one that no visible image has is ``(hidden)``."""
        named = dict(zip(self.labels.tolist(), self.names, strict=True))
        named.pop(HIDDEN, None)
        highest = max(named, default=-1)
        return [named.get(label, "(hidden)") for label in range(highest + 1)]

    def require_classes(self, layout: str) -> None:
        """Refuse a layout that says every image's class, where some are not known."""
        without = np.flatnonzero(self.labels == HIDDEN)
        if len(without):
            ids = self.manifest.image_ids
            raise MmclustError(
                f"{layout} needs the class of every image",
                where=self.manifest.folder,
                expected="a benchmark with classes, all of them given out",
                found=f"{len(without):,} of {len(ids):,} images without: "
                f"{some(ids[row] for row in without.tolist())}",
                do="export as csv or hf, which leave out what is not given out",
            )

    def require_images(self) -> None:
        """Refuse a benchmark that was built without images."""
        if self.manifest.table["container"].null_count:
            raise MmclustError(
                f"{self.manifest.benchmark} was built without images",
                where=self.manifest.folder,
                do="build it again without --annotations-only",
            )

    def place(
        self, target: Path, fill: Callable[[Path], object], paths: Iterable[str] = ()
    ) -> Exported:
        """Write a file or a folder, unless it is there already; ``paths`` are in it."""
        parts = {part for path in paths for part in path.split("/")}
        odd = sorted(part for part in parts if _UNFIT.search(part))
        told = (f"names that Windows cannot hold: {some(map(repr, odd))}",)
        written = _place(target, fill)
        return Exported(target, len(self.manifest), written, told if odd else ())


def require_plain(names: Iterable[str], where: Path, *, folders: bool = False) -> None:
    """Refuse names that would not stay below the folder of the export."""

    def bad(name: str) -> bool:
        return not name.strip(".") or ".." in name or any(c in name for c in "/\\\0")

    wrong = [
        name
        for name in names
        if any(bad(part) for part in (name.split("/") if folders else [name]))
    ]
    if wrong:
        raise MmclustError(
            "A class name or image id cannot be the name of a folder or file",
            where=where,
            expected="a name without '/', '\\' and '..'",
            found=some(repr(name) for name in sorted(wrong)),
            do="rename it in the source's annotations and build again",
        )


def require_distinct(paths: Iterable[str], where: Path) -> None:
    """Refuse files or folders that are one on other systems.

    Windows and macOS take names for the same that differ in capitals, and macOS those
    that differ in Unicode form; Windows drops blanks and full stops at the end.
    """
    known: dict[str, str] = {}
    alike: set[tuple[str, str]] = set()
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            # On a system that is blind to case and form.
            blind = (same_form(same_form(part).casefold()) for part in parts[:depth])
            key = "/".join(part.rstrip(". ") for part in blind)
            new = key not in known
            other = known.setdefault(key, name)
            if other != name or (depth == len(parts) and not new):
                alike.add((other.split("/")[-1], parts[depth - 1]))
                break
    if alike:
        raise MmclustError(
            "Names in the export would be one on other systems",
            where=where,
            expected="names that differ in more than capitals, Unicode form (NFC or "
            "NFD) and full stops or blanks at the end",
            found=some(f"{a} and {b}" for a, b in sorted(alike)),
            do="rename classes or images in the source and build again, or export as "
            "csv",
        )


def _place(target: Path, fill: Callable[[Path], object]) -> bool:
    """Say whether it had to be written; refuse another one that is there."""
    with alone(target.parent):
        if not target.exists() or (target.is_dir() and not any(target.iterdir())):
            with writing(target) as temporary:
                fill(temporary)
            return True
    try:
        with private(target) as aside:
            fresh = aside / target.name
            fill(fresh)
            there, wanted = _files(target), _files(fresh)
            other = sorted(there ^ wanted)
            for name in there & wanted:
                if not filecmp.cmp(target / name, fresh / name, shallow=False):
                    other.append(name)
    except OSError as error:
        raise MmclustError(
            f"Cannot compare with what is there as {target.name}",
            where=target,
            found=error.strerror or error,
            do="free some space, or choose another folder with --out",
        ) from error
    if other:
        raise MmclustError(
            "The place to export to is taken",
            where=target,
            expected="nothing, or the same export",
            found=f"{len(there):,} files; {len(other):,} differ: {some(other, 3)}",
            do="remove it or choose another with --out",
        )
    return False


def _files(target: Path) -> set[str]:
    """Return the paths of a folder's files; of a file, the empty one."""
    if not target.is_dir():
        return {""}
    return {
        path.relative_to(target).as_posix()
        for path in target.rglob("*")
        if not path.is_dir()
    }


# Where a file system refuses a hard link, the bytes are copied.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}


def write_images(manifest: Manifest, folder: Path, paths: Sequence[str]) -> None:
    """Write every image's own bytes."""
    containers = manifest.table["container"].to_pylist()
    members = manifest.table["member"].to_pylist()
    for parent in sorted({(folder / path).parent for path in paths}):
        parent.mkdir(parents=True, exist_ok=True)
    open_folders = {c for c in set(containers) if (manifest.folder / c).is_dir()}
    packed = []
    for row, container in enumerate(containers):
        if container in open_folders:
            _link(manifest.folder / container / members[row], folder / paths[row])
        else:
            packed.append(row)
    files = track(read_files(manifest, packed), "export", len(packed), unit="images")
    for row, data in files:
        (folder / paths[row]).write_bytes(data)


def _link(image: Path, target: Path) -> None:
    source = image.resolve()
    if not source.is_file():
        raise MmclustError(
            "An image cannot be read",
            where=image,
            found="no such file",
            do="fetch the source again, then build again",
        )
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(source, target)
