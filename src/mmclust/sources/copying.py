"""Copying a file of the user's: by reflink where the file system can, else bytes.

Never a hard link: what lies in ``data/raw`` becomes DVC's, which makes it read-only
and may share it with its cache; a user's own file must not change with it. A
reflink is as quick and takes no space, and is a file of its own.
"""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, BinaryIO

from mmclust.core.errors import MmclustError
from mmclust.core.io import CHUNK, writing
from mmclust.sources.space import cannot_write, require_space
from mmclust.sources.verify import (
    Facts,
    decide,
    hashers_of,
    measure,
    track_bytes,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mmclust.core.registry import SourceFile

_FICLONE = 0x40049409  # linux/fs.h


def take_archive(
    archive: Path,
    file: SourceFile,
    path: Path,
    *,
    before_replace: Callable[[], object],
) -> Facts:
    """Copy an archive of the user's once it is known to be right."""
    found = measure(path, file) if file.digests else None
    if found is not None and decide(file, found) == "present":
        return found
    try:
        opened = archive.open("rb")
    except OSError as error:
        raise MmclustError(
            f"{archive.name} cannot be read",
            where=archive,
            found=error.strerror,
            do="make it readable",
        ) from error
    with (
        opened,
        writing(path, verify=lambda _: before_replace()) as temporary,
    ):
        temporary.touch()
        if _reflink(opened, temporary):
            facts = measure(temporary, file)
            assert facts is not None
        else:
            require_space(path.parent, archive.stat().st_size, f"a copy of {path.name}")
            facts = _copy(opened, temporary, file)
        do = "your file was left alone; replace it by the publisher's, or unpack it"
        verify(file, facts, temporary, archive, do=do)
    return facts


def _reflink(source: BinaryIO, target: Path) -> bool:
    """Share the source's blocks; False where the file system cannot."""
    with target.open("r+b") as opened:
        try:
            fcntl.ioctl(opened.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
    return True


def _copy(source: BinaryIO, target: Path, file: SourceFile) -> Facts:
    hashers, size = hashers_of(file), 0
    chunks = iter(lambda: source.read(CHUNK), b"")
    with target.open("r+b") as opened:
        for chunk in track_bytes(chunks, f"copying {file.name}", file.size):
            size += len(chunk)
            for hasher in hashers.values():
                hasher.update(chunk)
            try:
                opened.write(chunk)
            except OSError as error:
                raise cannot_write(target, error, None) from error
    return Facts(size, {name: each.hexdigest() for name, each in hashers.items()})
