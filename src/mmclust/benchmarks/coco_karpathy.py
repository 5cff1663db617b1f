"""COCO retrieval on the Karpathy split: 5,000 test images, five captions each.

The five captions are the first five of the file: a few images have six or seven, and
the usual protocol leaves those out. Five folds of 1,000 images, consecutive in the
order of ``dataset_coco.json``, are named in ``folds.parquet``; "COCO 1K" is the mean
over them.

Source: Karpathy and Li, CVPR 2015 (arXiv 1412.2306).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from mmclust.benchmarks._coco_annotations import what_is_wrong
from mmclust.benchmarks._image_places import captioned_rows
from mmclust.benchmarks._source_files import (
    container_notes,
    faulty,
    refuse,
    require,
    source_folders,
)
from mmclust.benchmarks._splits import splits_of
from mmclust.core.archives import read_found
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.core.archives import Found

SOURCES = ("karpathy_splits", "coco2014")
LISTS = ("karpathy_splits",)
DEFAULT_SPLIT = "test"
ARCHIVE = "caption_datasets.zip"
FILE = "dataset_coco.json"
FOLDERS = ("train2014", "val2014")
IMAGES = {"train": 82_783, "restval": 30_504, "val": 5_000, "test": 5_000}
FOLDS = 5


@dataclass(frozen=True)
class Params:
    """What publications do differently."""

    captions_per_image: Positive | None = 5
    """The first so many of each image, which needs as many; ``None``: all."""


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the images of the parts, as published."""
    del params
    return {"": sum(IMAGES[part] for part in splits_of(split, IMAGES))}


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Choose the images of a part of the split."""
    parts = splits_of(split, IMAGES)
    folders = source_folders(raw, SOURCES)
    found = require(folders, ARCHIVE, FILE)
    listed, digest = read_karpathy(found)
    chosen = [image for image in listed if image.split in parts]
    odd = [
        f"{i.filename} in {i.filepath!r}" for i in chosen if i.filepath not in FOLDERS
    ]
    what, do = "An image is in no folder of COCO 2014", "fetch karpathy_splits again"
    refuse(odd, what, found, " or ".join(FOLDERS), do=do)
    number = params.captions_per_image
    captions = {image.image_id: image.captions for image in chosen}
    require_captions(captions, number, found)
    files = {i.image_id: f"{i.filepath}/{i.filename}" for i in chosen}
    kept = {image_id: texts[:number] for image_id, texts in captions.items()}
    splits = {image.image_id: ROLES[image.split] for image in chosen}
    rows = captioned_rows(folders, files, splits, kept, images=images)
    n_listed = sum(map(len, captions.values()))
    notes = {
        "split": split,
        "parts": dict(sorted(Counter(image.split for image in chosen).items())),
        "captions_listed": n_listed,
        "captions_left_out": n_listed - sum(len(row.captions) for row in rows),
        "empty_captions_dropped": sum(len(i.sentences) for i in chosen) - n_listed,
        "folds": f"{FOLDS} blocks of the test images in the order of {FILE}",
        "image_files": container_notes(raw, rows) or "not looked for",
    }
    return Built(
        rows,
        {},
        protocol="1",
        sources={FILE: digest},
        notes=notes,
        fit=("train",),
        evaluate=("test",),
        folds=folds([i.image_id for i in chosen if i.split == "test"]),
    )


def folds(image_ids: Sequence[str]) -> dict[str, int]:
    """Return the fold of each image: five blocks of the order given, 0 to 4."""
    n = len(image_ids)
    return {image_id: at * FOLDS // n for at, image_id in enumerate(image_ids)}


ROLES = {"train": "train", "restval": "train", "val": "val", "test": "test"}
"""The manifest's split of each of the file's; ``restval`` is trained on."""


class Sentence(msgspec.Struct, gc=False):
    """A caption as its writer typed it."""

    raw: str


class KarpathyImage(msgspec.Struct, gc=False):
    """An entry of ``images``."""

    filename: str
    split: str
    sentences: list[Sentence]
    filepath: str = ""  # the folder, for COCO: `train2014` or `val2014`

    @property
    def image_id(self) -> str:
        """The file's name without its ending."""
        return PurePosixPath(self.filename).stem

    @property
    def captions(self) -> tuple[str, ...]:
        """Stripped, none empty, in the order of the file."""
        stripped = (sentence.raw.strip() for sentence in self.sentences)
        return tuple(text for text in stripped if text)


class _File(msgspec.Struct):
    images: list[KarpathyImage]


def read_karpathy(found: Found) -> tuple[list[KarpathyImage], str]:
    """Read a data set's file."""
    data = read_found(found)
    try:
        images = msgspec.json.decode(data, type=_File).images
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise faulty(
            f"{(found.member or found.path.name)} cannot be read",
            found,
            "JSON in UTF-8: an object with the list `images`, each with "
            "filename, split and sentences",
            f"{len(data):,} bytes: {error}{what_is_wrong(data, error)}",
            "fetch karpathy_splits again; the file may be cut short",
        ) from error
    _check(images, found)
    return images, hashlib.sha256(data).hexdigest()


def _check(images: Sequence[KarpathyImage], found: Found) -> None:
    paths = [i.filename for i in images if PurePosixPath(i.filename).name != i.filename]
    counts = Counter(image.image_id for image in images)
    twice = [image_id for image_id, count in counts.items() if count > 1]
    splits = sorted({i.split for i in images} - ROLES.keys())
    for wrong, what, expected in (
        (paths, "An image's file name is not a plain name", "a name without folders"),
        (twice, "An image is listed twice", "each image once"),
        (splits, "A split does not exist", "one of: " + ", ".join(ROLES)),
    ):
        refuse(wrong, what, found, expected, do="fetch karpathy_splits again")


def require_captions(
    captions: Mapping[str, tuple[str, ...]], number: int | None, where: object
) -> None:
    """Refuse images that have too few captions."""
    least = 1 if number is None else number
    counts = {image_id: len(texts) for image_id, texts in sorted(captions.items())}
    refuse(
        [f"{image_id} ({n})" for image_id, n in counts.items() if n < least],
        "Images have too few captions",
        where,
        f"at least {least} for each image, none of them empty",
        "with fewer",
        "fetch the source again, or ask for fewer: captions_per_image",
    )
