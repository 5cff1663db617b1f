"""Members of archives that have arrived, kept until they are packed.

They are not synced to the disk one by one: whoever finds one later checks it.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import zipfile
import zlib
from typing import TYPE_CHECKING

from mmclust.sources.space import cannot_write

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mmclust.sources.remote_member import Wanted

_TRIES = 1000


def keep(folder: Path, name: str, body: bytes) -> None:
    """Write a member under its name."""
    path = folder / name
    for attempt in range(_TRIES):
        partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(body)
            partial.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            # A neighbour that is done removes the folder: it is made again.
            vanished = isinstance(error, FileNotFoundError | FileExistsError)
            if vanished and attempt < _TRIES - 1:
                continue
            raise cannot_write(path, error, len(body)) from error
        return


def holds(folder: Path, member: Wanted) -> bool:
    """Say whether a member is there, with the right length and CRC-32."""
    try:
        body = (folder / member.name).read_bytes()
    except OSError:
        return False
    return (len(body), zlib.crc32(body)) == (member.size, member.crc)


def take_from(archive: Path, members: Iterable[Wanted], folder: Path) -> None:
    """Take members over from an earlier archive, as far as it has them undamaged."""
    with (
        contextlib.suppress(OSError, zipfile.BadZipFile, zlib.error),
        zipfile.ZipFile(archive) as opened,
    ):
        infos = {info.filename: info for info in opened.infolist()}
        for member in members:
            info = infos.get(member.name)
            if info is None or (info.file_size, info.CRC) != (member.size, member.crc):
                continue
            with contextlib.suppress(zipfile.BadZipFile, zlib.error):
                keep(folder, member.name, opened.read(info))


def remove(folder: Path) -> None:
    """Remove what was kept, and the work folder if it is empty then."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
