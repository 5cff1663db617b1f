"""Reading images where they lie: in a folder, or straight from an archive."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mmclust.core.manifest import Manifest


def read_images(
    manifest: Manifest, rows: Iterable[int]
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yield images as RGB, each archive opened once.

    Parameters
    ----------
    manifest
        Says where the bytes are.
    rows
        Positions in the manifest.

    Yields
    ------
    image_id : str
    rgb : numpy.ndarray
        uint8 (h, w, 3).

    Raises
    ------
    MmclustError
        When the manifest was built without images, a file is missing, or the
        bytes are no image; the image is named.
    """
    table = manifest.table
    columns = [
        table[name] for name in ("image_id", "container", "member", "offset", "length")
    ]
    archives: dict[Path, zipfile.ZipFile] = {}
    try:
        for row in rows:
            image_id, container, member, offset, length = (
                column[row].as_py() for column in columns
            )
            if container is None:
                raise MmclustError(
                    f"{manifest.benchmark} was built without images",
                    where=manifest.folder,
                    do="build it again without --annotations-only",
                )
            path = manifest.folder / container
            data = _bytes(path, member, offset, length, archives)
            yield image_id, decode(data, f"{path}, {member}")
    finally:
        for archive in archives.values():
            archive.close()


def _bytes(
    path: Path,
    member: str,
    offset: int | None,
    length: int | None,
    archives: dict[Path, zipfile.ZipFile],
) -> bytes:
    """Return an image's bytes: by offset where stored, else through the archive."""
    try:
        if path.is_dir():
            return (path / member).read_bytes()
        if path.suffix == ".tar":  # never compressed, and without checksums
            with path.open("rb") as file:
                file.seek(offset or 0)
                return file.read(length)
        if path not in archives:
            archives[path] = zipfile.ZipFile(path)
        if offset is None or length is None:
            return archives[path].read(member)
        return _stored(archives[path], member, offset, length)
    except (OSError, KeyError, zlib.error, zipfile.BadZipFile) as error:
        raise MmclustError(
            "An image cannot be read",
            where=f"{path}, {member}",
            found=error,
            do="fetch the source again, then build again",
        ) from error


def _stored(archive: zipfile.ZipFile, member: str, offset: int, length: int) -> bytes:
    """Read a member by offset, held to the archive's own check of it."""
    file = archive.fp
    assert file is not None
    file.seek(offset)
    data = file.read(length)
    if zlib.crc32(data) != archive.getinfo(member).CRC:
        raise zipfile.BadZipFile("the bytes do not have the archive's CRC-32")
    return data


def decode(data: bytes, where: str) -> np.ndarray[Any, Any]:
    """Decode an image file to RGB.

    Parameters
    ----------
    data
        The bytes of a JPEG, PNG or other file that Pillow reads.
    where
        For the message.

    Returns
    -------
    numpy.ndarray
        uint8 (h, w, 3).

    Raises
    ------
    MmclustError
        When the bytes are no complete image.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MmclustError(
            "An image cannot be decoded",
            where=where,
            expected="a complete image file",
            found=f"{len(data)} bytes that do not decode ({type(error).__name__})",
            do="fetch the source again; if the publisher's file is damaged, "
            "report it to them",
        ) from error
