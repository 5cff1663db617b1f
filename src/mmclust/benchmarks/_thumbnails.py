"""A strip of a few pictures, for the data card."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.images import read_images

if TYPE_CHECKING:
    from mmclust.core.manifest import Manifest

PICTURES = 12
SIDE = 96
"""Pixels."""
QUALITY = 80


def thumbnail_strip(manifest: Manifest) -> bytes | None:
    """Return a JPEG of the middle squares of up to twelve pictures, side by side.

    Which ones, the sha256 of their ids decides: the same on every machine, and no
    class more than its share.

    Parameters
    ----------
    manifest
        Built with images.

    Returns
    -------
    bytes or None
        ``None`` when no picture can be decoded.
    """
    from PIL import Image, ImageOps

    ids = manifest.image_ids
    order = sorted(
        range(len(ids)), key=lambda row: hashlib.sha256(ids[row].encode()).digest()
    )
    squares: list[Image.Image] = []
    for row in order[: 10 * PICTURES]:
        try:
            ((_, rgb),) = read_images(manifest, [row])
        except MmclustError:  # a picture that does not decode is counted elsewhere
            continue
        picture = Image.fromarray(rgb)
        squares.append(ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.LANCZOS))
        if len(squares) == PICTURES:
            break
    if not squares:
        return None
    strip = Image.new("RGB", (SIDE * len(squares), SIDE))
    for at, square in enumerate(squares):
        strip.paste(square, (SIDE * at, 0))
    buffer = io.BytesIO()
    strip.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()
