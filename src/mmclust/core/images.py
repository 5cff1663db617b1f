"""Images: read where they lie, and decoded to RGB by one stated rule for every kind."""

from __future__ import annotations

import contextlib
import io
import lzma
import os
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from isal.isal_zlib import crc32 as crc32_of

from mmclust.core.errors import MmclustError
from mmclust.core.manifest import PLACES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from PIL import Image

    from mmclust.core.manifest import Manifest

JPEG = b"\xff\xd8\xff"
LARGE = 1 << 26
"""Pixels from which on Pillow decides whether a picture is a bomb."""
MAX_PIXELS = 89_478_485
"""Images with more are refused: Pillow's own guard against tiny files that unpack to
gigabytes."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError)
"""What reading a damaged member of an archive raises."""
_BROKEN = (
    ArithmeticError, EOFError, LookupError, OSError, RuntimeError, SyntaxError,
    TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises on bytes that are no image of the kind they begin as."""


class CorruptImageError(MmclustError):
    """The bytes of an image are there, and are damaged."""


class Images:
    """A benchmark's images, read row by row; its archives stay open in between."""

    def __init__(self, manifest: Manifest) -> None:
        known = manifest.table.column_names  # earlier versions wrote no crc32
        self._manifest = manifest
        self._columns = [manifest.table[name] for name in PLACES[1:] if name in known]
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
        except (*_DAMAGED, OSError, EOFError, KeyError, RuntimeError) as error:
            known = path in self._archives or path in self._files
            corrupt = known and isinstance(error, _DAMAGED)
            raise (CorruptImageError if corrupt else MmclustError)(
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
        for opened in (self._archives, self._files):
            while opened:
                opened.popitem()[1].close()


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


def decode(data: bytes, where: str) -> np.ndarray[Any, Any]:
    """Decode an image file to RGB, uint8 (h, w, 3), as reference loaders do JPEGs.

    Pixels are taken as they are stored: EXIF orientation and colour profiles are not
    applied (boxes and published features are of the stored pixels). Of an animation
    the first frame counts; 16-bit values keep their high byte; transparency is laid
    over white; CMYK, palettes and grey become RGB by Pillow's conversion. 32-bit
    values, which have no stated range, are refused, as are more than
    :data:`MAX_PIXELS`.
    """
    fast = _decode_jpeg(data)
    if fast is not None:
        return fast
    with _opened(data, where) as image:
        return np.asarray(_rgb(image))


def size_of(data: bytes, where: str) -> tuple[int, int]:
    """Return an image's width and height, from its header alone."""
    with _opened(data, where) as image:
        return image.size


@contextlib.contextmanager
def _opened(data: bytes, where: str) -> Iterator[Image.Image]:
    """Open an image file; whatever Pillow makes of its bytes becomes one error."""
    from PIL import Image

    if not data:
        raise _undecodable(where, "an empty file")
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(where)
            if image.format == "EPS":  # Pillow would run Ghostscript on it
                raise _undecodable(where, "PostScript, a program that is not run")
            yield image
    except (Image.DecompressionBombError, MemoryError) as error:
        raise _too_large(where) from error
    except _BROKEN as error:
        found = f"{len(data)} bytes that do not decode ({type(error).__name__})"
        raise _undecodable(where, found) from error


def _too_large(where: str) -> CorruptImageError:
    return CorruptImageError(
        "An image is too large",
        where=where,
        expected=f"at most {MAX_PIXELS:,} pixels",
        found="more, as its header says",
        do="make it smaller, or take it out",
    )


def _undecodable(where: str, found: str) -> CorruptImageError:
    return CorruptImageError(
        "An image cannot be decoded",
        where=where,
        expected="a complete image file",
        found=found,
        do="fetch the source again; if the publisher's file is damaged, "
        "report it to them",
    )


def _rgb(image: Image.Image) -> Image.Image:
    """Convert by the rules of :func:`decode`."""
    from PIL import Image

    if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PPM"):
        # Pillow keeps the high byte of 16-bit colours, and clips 16-bit greys.
        grey = np.asarray(image).astype(np.uint16) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise ValueError(image.mode)
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        return Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("RGB")


def _decode_jpeg(data: bytes) -> np.ndarray[Any, Any] | None:
    """Decode a plain JPEG, faster than Pillow, to the same pixels; else ``None``.

    simplejpeg is libjpeg-turbo with little around it. It is held to what Pillow
    does: the accurate inverse transform and smooth upsampling. Whatever it finds
    odd, Pillow judges: damage above all, CMYK, and pictures of enormous size.
    """
    if not data.startswith(JPEG):
        return None
    import simplejpeg

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in {"YCbCr", "Gray"} or height * width > LARGE:
            return None
        rgb: np.ndarray[Any, Any] = simplejpeg.decode_jpeg(
            data, "RGB", fastdct=False, fastupsample=False
        )
    except ValueError:
        return None
    return rgb
