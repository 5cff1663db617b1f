"""Thumbnails of a whole benchmark, many to a picture, and the words to each."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.images import Images
from mmclust.core.progress import track
from mmclust.core.workers import in_order
from mmclust.report.thumbs import QUALITY, SIDE, square

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from mmclust.core.manifest import Manifest
    from mmclust.report.bundle import Bundle
    from mmclust.report.run import Run

COLUMNS = 16
EACH = COLUMNS * COLUMNS
"""Images on a sheet: about 400 kB of JPEG."""
GREY = 150
NAMED = 5
"""Pictures that could not be read and are named on the page."""


@dataclass(frozen=True)
class Sheets:
    """Addresses of the sheets.

    Parameters
    ----------
    pictures
        One per sheet of :data:`EACH` images; empty for a benchmark that was built
        without images.
    words
        Beside each: ids and captions.
    unread
        Ids of images that could not be read, and why.
    """

    pictures: list[str]
    words: list[str]
    unread: list[tuple[str, str]]


def make_sheets(
    run: Run, rows: np.ndarray[Any, Any], bundle: Bundle, workers: int
) -> Sheets:
    """Write sheets of thumbnails and captions.

    Parameters
    ----------
    run
        The benchmark.
    rows
        The manifest's rows, in the order of the gallery.
    bundle
        Where to.
    workers
        Processes that read pictures; the bytes are the same at any number.

    Raises
    ------
    MmclustError
        When a worker is killed.
    """
    table = run.manifest.table.take(rows)
    parts = [
        replace(run.manifest, table=table.slice(start, EACH).combine_chunks())
        for start in range(0, len(rows), EACH)
    ]
    pictures, unread = [], []
    if table["container"].null_count < len(table):
        for data, failed in _drawn(parts, workers):
            pictures.append(bundle.add(data, ".jpg"))
            unread += failed
    words = [
        bundle.add_data({"ids": part.image_ids, "captions": part.captions})
        for part in parts
    ]
    return Sheets(pictures, words, unread)


def _drawn(
    parts: Sequence[Manifest], workers: int
) -> Iterator[tuple[bytes, list[tuple[str, str]]]]:
    name = f"thumbnails of {parts[0].benchmark}"
    if len(parts) <= 2:  # noqa: PLR2004 (not worth a process)
        workers = 1
    sheets = in_order(
        draw_sheet, parts, workers, describe=lambda p: f"{name}, {p.image_ids[0]} on"
    )
    return track(sheets, name, len(parts), unit="sheets")


def draw_sheet(
    manifest: Manifest, columns: int = COLUMNS
) -> tuple[bytes, list[tuple[str, str]]]:
    """Draw thumbnails side by side.

    Parameters
    ----------
    manifest
        The images; the first is at the upper left.
    columns
        Of the sheet.

    Returns
    -------
    jpeg : bytes
        Squares of :data:`~mmclust.report.thumbs.SIDE` pixels; those that could
        not be read are grey.
    unread : list of (str, str)
        Their ids, and what was wrong.
    """
    from PIL import Image

    height = -(-len(manifest) // columns)
    sheet = Image.new("RGB", (columns * SIDE, height * SIDE), (GREY,) * 3)
    unread = []
    with contextlib.closing(Images(manifest)) as images:
        for row, image_id in enumerate(manifest.image_ids):
            try:
                small = square(images.read(row))
            except MmclustError as error:
                unread.append((image_id, error.what))
                continue
            sheet.paste(small, (row % columns * SIDE, row // columns * SIDE))
    buffer = io.BytesIO()
    # Without chroma subsampling no colour runs over from a thumbnail to the next.
    sheet.save(buffer, "JPEG", quality=QUALITY, optimize=True, subsampling=0)
    return buffer.getvalue(), unread
