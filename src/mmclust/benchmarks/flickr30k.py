"""Flickr30K: 31,014 images with five captions each, in 29,000 / 1,014 / 1,000.

It has no classes: words are learned on it and retrieval is measured on its 1,000 test
images, but clustering needs a number of clusters given, and nothing scores it.

Source: Young et al., TACL 2 (2014); the split is Karpathy and Li's, CVPR 2015. The
publisher's caption file covers 31,783 images; those without a split are left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks._caption_files import (
    ARCHIVE,
    KARPATHY,
    TABLE,
    TOKEN,
    captions_and_splits,
    require_captions,
)
from mmclust.benchmarks._image_places import captioned_rows
from mmclust.benchmarks._source_files import container_notes, lacking, source_folders
from mmclust.benchmarks._splits import splits_of
from mmclust.core.errors import MmclustError
from mmclust.core.types import Built

if TYPE_CHECKING:
    from pathlib import Path

SOURCES = ("flickr30k", "flickr30k_publisher", "karpathy_splits")
DEFAULT_SPLIT = "all"
FOLDER = "flickr30k-images"
IMAGES = {"train": 29_000, "val": 1_014, "test": 1_000}


@dataclass(frozen=True)
class Params:
    """What a damaged or partial copy may need."""

    captions_per_image: int | None = 5
    """Captions each image must have; ``None``: at least one."""


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the images of the parts, as published."""
    del params
    return {"": sum(IMAGES[part] for part in splits_of(split, IMAGES))}


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Choose the images of a part of the split."""
    parts = splits_of(split, IMAGES)
    folders = source_folders(raw, SOURCES)
    files = captions_and_splits(folders)
    if not files:
        names = [TOKEN, TABLE, KARPATHY]
        raise lacking(folders, "Flickr30K's caption file", names)
    texts, splits = files[0], files[-1]
    if not splits.splits:
        raise MmclustError(
            "Flickr30K's splits are in none of the files",
            where=texts.where,
            expected=f"{TABLE}, {KARPATHY}, or {ARCHIVE} with it",
            found=f"captions of {len(texts.captions):,} images, without splits",
            do="run `mmclust fetch karpathy_splits --mirror upstream`, or put one of "
            "these files beside the captions",
        )
    chosen = {i: part for i, part in splits.splits.items() if part in parts}
    captions = {image_id: texts.captions.get(image_id, ()) for image_id in chosen}
    _check_captions(captions, params.captions_per_image, texts.where)
    paths = {image_id: f"{FOLDER}/{image_id}.jpg" for image_id in chosen}
    rows = captioned_rows(folders, paths, chosen, captions, images=images)
    n_parts = Counter(splits.splits.values())
    kept = [text for row in rows for text in row.captions]
    notes = {
        "split": split,
        "captions_from": texts.name,
        "splits_from": splits.name,
        "splits_listed": dict(sorted(n_parts.items())),
        "splits_as_published": n_parts == IMAGES,
        "images_without_split": len(texts.captions.keys() - splits.splits.keys()),
        "empty_captions_dropped": texts.n_empty,
        "captions_with_line_break": sum("\n" in text for text in kept),
        "image_files": container_notes(raw, rows) or "not looked for",
    }
    return Built(
        rows,
        {},
        protocol="1",
        sources={each.name: each.digest for each in files},
        notes=notes,
        fit=("train",),
        evaluate=("test",),
    )


def _check_captions(
    captions: dict[str, tuple[str, ...]], number: int | None, where: str
) -> None:
    require_captions(captions, number, where)
    if number is None:
        return
    long = sorted(i for i, texts in captions.items() if len(texts) > number)
    if long:
        raise MmclustError(
            "Images have too many captions",
            where=where,
            expected=f"{number} for each image",
            found=f"{len(long):,} with more: {long[0]} has {len(captions[long[0]])}",
            do="fetch the source again, or set captions_per_image to null",
        )
