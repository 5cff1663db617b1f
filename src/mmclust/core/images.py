"""Images, read where they lie: in a folder or in an archive."""

from __future__ import annotations

import contextlib
import os
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from isal.isal_zlib import crc32 as crc32_of

from mmclust.core.decoding import CorruptImageError, decode
from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    import numpy as np

    from mmclust.core.manifest import Manifest


class Images:
    """A benchmark's images, read row by row; its archives stay open in between."""

    def __init__(self, manifest: Manifest) -> None:
        names = ("container", "member", "offset", "length", "crc32")
        known = manifest.table.column_names  # earlier versions wrote no crc32
        self._manifest = manifest
        self._columns = [manifest.table[name] for name in names if name in known]
        self._files: dict[Path, BinaryIO] = {}
        self._archives: dict[Path, zipfile.ZipFile] = {}

    def read(self, row: int) -> np.ndarray[Any, Any]:
        """Return one image as RGB, uint8 (h, w, 3); damage names the image."""
        return decode(*self.file(row))

    def file(self, row: int) -> tuple[bytes, str]:
        """Return an image's bytes as the publisher made them, and where they lie."""
        container, member, *stored = (c[row].as_py() for c in self._columns)
        manifest = self._manifest
        if container is None:
            raise MmclustError(
                f"{manifest.benchmark} was built without images",
                where=manifest.folder,
                do="build it again without --annotations-only",
            )
        path = manifest.folder / container
        try:
            return self._bytes(path, member, *stored), f"{path}, {member}"
        except (OSError, EOFError, KeyError, zlib.error, zipfile.BadZipFile) as error:
            damaged = isinstance(error, (zlib.error, zipfile.BadZipFile))
            known = path in self._archives or path in self._files
            raise (CorruptImageError if damaged and known else MmclustError)(
                "An image cannot be read",
                where=f"{path}, {member}",
                found=error,
                do="fetch the source again, then build again",
            ) from error

    def _bytes(
        self,
        path: Path,
        member: str,
        offset: int | None,
        length: int | None,
        crc32: int | None = None,
    ) -> bytes:
        """Read by offset where the image is stored, else through the archive."""
        if offset is None or length is None:
            if path not in self._archives:
                if path.is_dir():
                    return (path / member).read_bytes()
                self._archives[path] = zipfile.ZipFile(path)
            return self._archives[path].read(member)
        if crc32 is None and path.suffix != ".tar":  # a tar has no checksums
            return self._bytes(path, member, None, None)
        if path not in self._files:
            self._files[path] = path.open("rb", buffering=0)
        data = os.pread(self._files[path].fileno(), length, offset)
        if len(data) < length:
            raise EOFError(f"the archive ends before byte {offset + length:,}")
        if crc32 is not None and crc32_of(data) != crc32:
            raise zipfile.BadZipFile("the bytes do not have the archive's CRC-32")
        return data

    def close(self) -> None:
        """Close the archives."""
        for archive in self._archives.values():
            archive.close()
        for file in self._files.values():
            file.close()
        self._archives.clear()
        self._files.clear()


def read_images(
    manifest: Manifest, rows: Iterable[int]
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Yield ids and images as RGB, uint8 (h, w, 3); see :meth:`Images.read`."""
    with contextlib.closing(Images(manifest)) as images:
        for row in rows:
            yield manifest.table["image_id"][row].as_py(), images.read(row)


def read_files(manifest: Manifest, rows: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """Yield rows and their files' bytes as the publisher made them, not decoded."""
    with contextlib.closing(Images(manifest)) as images:
        for row in rows:
            yield row, images.file(row)[0]
