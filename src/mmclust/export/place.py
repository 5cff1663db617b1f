"""Files of an export: complete or not at all, images linked where they lie unpacked."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, some
from mmclust.core.images import read_files
from mmclust.core.io import private, writing
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest


def place(target: Path, fill: Callable[[Path], object]) -> bool:
    """Write a file or a folder, unless it is there already."""
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
    """Link an image's file, or copy it where that cannot be."""
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
