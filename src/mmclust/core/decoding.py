"""Decoding image files to RGB, by one stated rule for every kind."""

from __future__ import annotations

import contextlib
import importlib
import io
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

JPEG = b"\xff\xd8\xff"
LARGE = 1 << 26
"""Pixels from which on Pillow decides whether a picture is a bomb."""
MAX_PIXELS = 89_478_485
"""Images with more are refused: Pillow's own guard against tiny files that unpack to
gigabytes."""
# What Pillow raises on bytes that are no image of the kind they begin as.
_BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    struct.error,
    zlib.error,
)


class CorruptImageError(MmclustError):
    """The bytes of an image are there, and are damaged."""


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
            _refuse_large(image)
            if image.format == "EPS":  # Pillow would run Ghostscript on it
                raise _undecodable(where, "PostScript, a program that is not run")
            yield image
    except (Image.DecompressionBombError, MemoryError) as error:
        raise CorruptImageError(
            "An image is too large",
            where=where,
            expected=f"at most {MAX_PIXELS:,} pixels",
            found="more, as its header says",
            do="make it smaller, or take it out",
        ) from error
    except _BROKEN as error:
        found = f"{len(data)} bytes that do not decode ({type(error).__name__})"
        raise _undecodable(where, found) from error


def _refuse_large(image: Image.Image) -> None:
    from PIL import Image

    if image.width * image.height > MAX_PIXELS:
        raise Image.DecompressionBombError


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
    if not data.startswith(JPEG) or (library := _simplejpeg()) is None:
        return None
    try:
        height, width, colours, _ = library.decode_jpeg_header(data)
        if colours not in {"YCbCr", "Gray"} or height * width > LARGE:
            return None
        rgb: np.ndarray[Any, Any] = library.decode_jpeg(
            data, "RGB", fastdct=False, fastupsample=False
        )
    except ValueError:
        return None
    return rgb


@lru_cache(maxsize=1)
def _simplejpeg() -> Any:
    try:
        return importlib.import_module("simplejpeg")
    except ImportError:
        return None
