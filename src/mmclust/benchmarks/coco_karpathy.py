"""COCO retrieval on the Karpathy split: 5,000 test images, five captions each.

The five captions are the first five of the file: a few images have six or seven, and
the usual protocol leaves those out. Five folds of 1,000 images, consecutive in the
order of ``dataset_coco.json``, are named in ``folds.parquet``; "COCO 1K" is the mean
over them.

Source: Karpathy and Li, CVPR 2015 (arXiv 1412.2306).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks._caption_files import (
    ARCHIVE,
    ROLES,
    read_karpathy,
    require_captions,
)
from mmclust.benchmarks._image_places import captioned_rows
from mmclust.benchmarks._source_files import (
    container_notes,
    lacking,
    look_for,
    refuse,
    source_folders,
)
from mmclust.benchmarks._splits import splits_of
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SOURCES = ("karpathy_splits", "coco2014")
LISTS = ("karpathy_splits",)
DEFAULT_SPLIT = "test"
FILE = "dataset_coco.json"
FOLDERS = ("train2014", "val2014")
IMAGES = {"train": 82_783, "restval": 30_504, "val": 5_000, "test": 5_000}
FOLDS = 5


@dataclass(frozen=True)
class Params:
    """What publications do differently."""

    captions_per_image: int | None = 5
    """The first so many of each image, which needs as many; ``None``: all."""


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the images of the parts, as published."""
    del params
    return {"": sum(IMAGES[part] for part in splits_of(split, IMAGES))}


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Choose the images of a part of the split."""
    parts = splits_of(split, IMAGES)
    folders = source_folders(raw, SOURCES)
    found = look_for(folders, ARCHIVE, FILE)
    if found is None:
        raise lacking(folders, FILE, [FILE, f"{ARCHIVE} with it"])
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
