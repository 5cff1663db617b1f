"""Writing a benchmark's image files: hard links where files lie unpacked."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.images import read_files
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest

# Where a file system refuses a hard link, the bytes are copied.
_NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES}


def write_images(manifest: Manifest, folder: Path, paths: Sequence[str]) -> None:
    """Write every image's own bytes.

    Parameters
    ----------
    manifest
        Built with images.
    folder
        Where to.
    paths
        Below ``folder``, one for each row.

    Raises
    ------
    MmclustError
        When an image cannot be read; it is named.
    """
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
