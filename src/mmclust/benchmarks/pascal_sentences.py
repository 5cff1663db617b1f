"""Pascal Sentences: 1,000 pictures of 20 classes, 50 of each, five sentences each.

A picture's class is the folder that the publisher's page shows it from.

Source: Rashtchian et al., NAACL HLT Workshop 2010; classes are those of PASCAL VOC.
There are no splits: all is fitted on and evaluated.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks._coco_notes import container_notes
from mmclust.benchmarks._karpathy import splits_of
from mmclust.benchmarks._layout import lacking, locate_files
from mmclust.benchmarks._pascal import Sentences, parse_page
from mmclust.benchmarks._raw import check_folder
from mmclust.benchmarks._rows import row_at
from mmclust.core.errors import MmclustError, some
from mmclust.core.types import Built

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.benchmarks._images import Place

SOURCE = "pascal_sentences"
DEFAULT_SPLIT = "all"
PAGE = "index.html"
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant",
    "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
EACH = 50
CAPTIONS = 5


@dataclass(frozen=True)
class Params:
    """No options: the protocol leaves nothing open."""


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return 50 images of each of the 20 classes."""
    del params, split
    return dict.fromkeys(CLASSES, EACH)


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Read the page, and find its pictures.

    Parameters
    ----------
    raw
        Holds ``index.html``, or one other page, and the pictures as
        ``<class>/<file>``: in folders, there or one folder deeper, or in an archive.
    params
        None.
    split
        ``all``: there is no other.
    images
        Whether to look for the image files.

    Returns
    -------
    Built
        One row per picture, ``image_id`` its file's name without ending.

    Raises
    ------
    MmclustError
        When the page or pictures are missing, or the page breaks a rule of its
        layout.
    """
    del params
    splits_of(split, ["all"])
    page = _page(raw)
    data = page.read_bytes()
    pictures, encoding = parse_page(data, str(page))
    files = {each.image_id: f"{each.name}/{each.file}" for each in pictures}
    places: dict[str, Place] = {}
    if images:
        places = locate_files([raw], files, archives=["*"], below=True)
    rows = [
        row_at(
            image_id,
            places.get(image_id),
            member=files[image_id],
            captions=each.captions,
            split="train",
        )
        for each in pictures
        for image_id in [each.image_id]
    ]
    containers = {place.container for place in places.values()}
    notes = {
        "page": page.name,
        "encoding": encoding,
        "images_without_five_captions": _not_five(pictures),
        "image_files": container_notes(raw, containers) or "not looked for",
    }
    labels = {each.image_id: each.name for each in pictures}
    sources = {PAGE: hashlib.sha256(data).hexdigest()}
    return Built(rows, labels, protocol="1", sources=sources, notes=notes)


def _not_five(pictures: list[Sentences]) -> dict[str, int]:
    counts = {each.image_id: len(each.captions) for each in pictures}
    return {i: n for i, n in sorted(counts.items()) if n != CAPTIONS}


def _page(raw: Path) -> Path:
    """Return the page: index.html, or the only one there is."""
    check_folder(raw)
    if (raw / PAGE).is_file():
        return raw / PAGE
    endings = {".html", ".htm"}
    pages = [p for p in raw.iterdir() if p.suffix.lower() in endings and p.is_file()]
    if not pages:
        raise lacking([raw], "The publisher's page", [PAGE, "one other .html file"])
    if len(pages) > 1:
        raise MmclustError(
            "There are several pages",
            where=raw,
            expected=f"{PAGE}, or one other .html file",
            found=some(sorted(path.name for path in pages)),
            do=f"leave the publisher's page alone there, or call it {PAGE}",
        )
    return pages[0]
