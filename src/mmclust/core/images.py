"""Reading images where they lie: in a folder, or straight from an archive."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from mmclust.core.decoding import CorruptImageError, decode
from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np

    from mmclust.core.manifest import Manifest


class Images:
    """A benchmark's images, read row by row; its archives stay open in between.

    Parameters
    ----------
    manifest
        Says where the bytes are.
    """

    def __init__(self, manifest: Manifest) -> None:
        names = ("container", "member", "offset", "length")
        self._manifest = manifest
        self._columns = [manifest.table[name] for name in names]
        self._archives: dict[Path, zipfile.ZipFile] = {}

    def read(self, row: int) -> np.ndarray[Any, Any]:
        """Return one image as RGB.

        Parameters
        ----------
        row
            Position in the manifest.

        Returns
        -------
        numpy.ndarray
            uint8 (h, w, 3).

        Raises
        ------
        CorruptImageError
            When the bytes are damaged; the image is named.
        MmclustError
            When the manifest was built without images, or a file is missing.
        """
        container, member, offset, length = (c[row].as_py() for c in self._columns)
        manifest = self._manifest
        if container is None:
            raise MmclustError(
                f"{manifest.benchmark} was built without images",
                where=manifest.folder,
                do="build it again without --annotations-only",
            )
        path = manifest.folder / container
        data = _bytes(path, member, offset, length, self._archives)
        return decode(data, f"{path}, {member}")

    def close(self) -> None:
        """Close the archives."""
        for archive in self._archives.values():
            archive.close()
        self._archives.clear()


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
        See :meth:`Images.read`.
    """
    with contextlib.closing(Images(manifest)) as images:
        for row in rows:
            yield manifest.table["image_id"][row].as_py(), images.read(row)


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
        damaged = isinstance(error, (zlib.error, zipfile.BadZipFile))
        raise (CorruptImageError if damaged and path in archives else MmclustError)(
            "An image cannot be read",
            where=f"{path}, {member}",
            found=error,
            do="fetch the source again, then build again",
        ) from error


def read_files(manifest: Manifest, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Yield images' bytes as the publisher made them, each archive opened once.

    Parameters
    ----------
    manifest
        Says where the bytes are; built with images.
    rows
        Positions in the manifest.

    Yields
    ------
    row : int
    data : bytes
        Not decoded.

    Raises
    ------
    MmclustError
        When a file is missing, or its bytes are not those of its archive.
    """
    names = ("container", "member", "offset", "length")
    columns = [manifest.table[name] for name in names]
    archives: dict[Path, zipfile.ZipFile] = {}
    try:
        for row in rows:
            container, member, offset, length = (c[row].as_py() for c in columns)
            path = manifest.folder / container
            yield row, _bytes(path, member, offset, length, archives)
    finally:
        for archive in archives.values():
            archive.close()


def _stored(archive: zipfile.ZipFile, member: str, offset: int, length: int) -> bytes:
    """Read a member by offset, held to the archive's own check of it."""
    file = archive.fp
    assert file is not None
    file.seek(offset)
    data = file.read(length)
    if zlib.crc32(data) != archive.getinfo(member).CRC:
        raise zipfile.BadZipFile("the bytes do not have the archive's CRC-32")
    return data
