"""Thumbnails: small JPEGs that travel inside the page."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from mmclust.core.images import read_images
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from PIL import Image

    from mmclust.core.manifest import Manifest

SIDE = 72
"""Pixels."""
QUALITY = 75


def thumbnails(manifest: Manifest, rows: Iterable[int]) -> dict[int, str]:
    """Return ``data:`` addresses of thumbnails, each image read once.

    Parameters
    ----------
    manifest
        Says where the images are.
    rows
        Positions in the manifest; repetitions cost nothing.

    Returns
    -------
    dict of int to str
        Row to address.

    Raises
    ------
    MmclustError
        When an image is missing or cannot be decoded.
    """
    wanted = sorted({int(row) for row in rows})
    images = track(
        read_images(manifest, wanted), "thumbnails", len(wanted), unit="images"
    )
    return {row: encode(rgb) for row, (_, rgb) in zip(wanted, images, strict=True)}


def encode(rgb: np.ndarray[Any, Any]) -> str:
    """Return the middle square of an image as a small JPEG in a ``data:`` address.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3).
    """
    buffer = io.BytesIO()
    square(rgb).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def square(rgb: np.ndarray[Any, Any]) -> Image.Image:
    """Return the middle square of an image, :data:`SIDE` pixels wide.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3).
    """
    from PIL import Image, ImageOps

    return ImageOps.fit(Image.fromarray(rgb), (SIDE, SIDE), Image.Resampling.LANCZOS)
