"""COCO-cross and COCO-all, which share a protocol: one category per image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._coco_annotations import read_captions, read_instances
from mmclust.benchmarks._image_places import captioned_rows
from mmclust.benchmarks._source_files import (
    container_notes,
    faulty,
    look_for,
    refuse,
    require,
    source_facts,
)
from mmclust.benchmarks._splits import NoParams, splits_of
from mmclust.core.archives import check_folder
from mmclust.core.errors import MmclustError, some
from mmclust.core.types import Built

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.benchmarks._coco_annotations import ImageRecord
    from mmclust.core.archives import Found
    from mmclust.core.manifest import Row

    Single = list[tuple[ImageRecord, str]]
    """Images that show one category, and its name."""

PROTOCOL = "1"
SPLITS = {"train2017": "train", "val2017": "val"}
ANNOTATIONS = "annotations_trainval2017.zip"
SOURCE = "coco2017"
DEFAULT_SPLIT = "train2017"
MIN_IMAGES = 100
ANNOTATED_UPSTREAM = 117_266
"""Images of the published train2017 that have at least one annotation."""


@dataclass(frozen=True)
class AllParams:
    """What the protocol leaves open."""

    min_images: int | None = None
    """Images a category needs, inclusive; ``None``: what the source's
    ``source.json`` says (a small mirror asks for fewer), else 100."""


@dataclass(frozen=True, eq=False)
class SingleCategory:
    """A benchmark of images that show one category."""

    about: str
    Params: type
    """With ``min_images``, categories are kept by count; else the published ones."""
    PUBLISHED: dict[str, int]  # images of each class in train2017
    SOURCE: str = SOURCE
    DEFAULT_SPLIT: str = DEFAULT_SPLIT

    def expected(self, params: Any, split: str) -> dict[str, int] | None:
        """Return the published counts where options and split are the protocol's."""
        least = getattr(params, "min_images", None)
        as_published = split == DEFAULT_SPLIT and least in (None, MIN_IMAGES)
        return self.PUBLISHED if as_published else None

    def incomparable(self, raw: Path, built: Built) -> str | None:
        """Return why counts say nothing about this source; ``None`` where they do.

        They do if fetching says that it is the published one or, for a folder of the
        user's own, if as many images are annotated as in the published train2017.
        """
        n_annotated = built.notes["images_annotated"]
        published = source_facts(raw).get("mirror") == "upstream"
        if published or n_annotated == ANNOTATED_UPSTREAM:
            return None
        return (
            f"not the published train2017, which has {ANNOTATED_UPSTREAM:,} annotated "
            f"images; here are {n_annotated:,}"
        )

    def build(self, raw: Path, params: Any, *, split: str, images: bool) -> Built:
        """Choose the images that show one category, of those that are kept."""
        check_folder(raw)
        least = _least(raw, params) if isinstance(params, AllParams) else None
        sources: dict[str, str] = {}
        facts = Counter[str]()
        singles = {
            part: _single_category(raw, part, sources, facts)
            for part in splits_of(split, SPLITS)
        }
        counts = Counter(name for single in singles.values() for _, name in single)
        if least is None:
            kept = counts.keys() & self.PUBLISHED.keys()
        else:
            kept = {name for name, n in counts.items() if n >= least}
        if not kept:
            raise _nothing_kept(raw, least, counts)
        chosen_of = {
            part: [(image, name) for image, name in single if name in kept]
            for part, single in singles.items()
        }
        # All captions come before any search for pictures, which takes longer.
        captions_of = {
            part: _captions(raw, part, chosen, sources, images)
            for part, chosen in chosen_of.items()
        }
        rows: list[Row] = []
        labels: dict[str, str] = {}
        n_empty = 0
        captioned = True
        for part, chosen in chosen_of.items():
            captions, n_without = captions_of[part]
            labels |= {image.image_id: name for image, name in chosen}
            n_empty += n_without
            captioned &= bool(captions or not chosen)
            files = {i.image_id: f"{part}/{i.file}" for i, _ in chosen}
            sizes = {i.image_id: (i.width, i.height) for i, _ in chosen}
            splits = dict.fromkeys(files, SPLITS[part])
            found = captioned_rows([raw], files, splits, captions, sizes, images=images)
            # Unpacked, the folder of the split holds them.
            rows += (
                replace(r, container=raw / part, member=r.member.partition("/")[2])
                if r.container == raw
                else r
                for r in found
            )
        ordered = {n: counts[n] for n in sorted(counts, key=lambda n: (-counts[n], n))}
        notes = {
            "split": split,
            **facts,
            "single_category_per_class": ordered,
            "dropped_categories": {n: c for n, c in ordered.items() if n not in kept},
            **({} if least is None else {"min_images": least}),
            "empty_captions_dropped": n_empty,
            "image_files": container_notes(raw, rows) or "not looked for",
        }
        if not captioned:
            notes["captions"] = (
                "none: no captions file, and --annotations-only was given"
            )
        return Built(rows, labels, PROTOCOL, sources, notes)


def _least(raw: Path, params: AllParams) -> int:
    """Return the images that a category of COCO-all needs."""
    least = params.min_images
    if least is None:
        # A small mirror asks for fewer.
        key = "coco_all.min_images"
        protocol = source_facts(raw).get("protocol", {})
        value = protocol.get(key, MIN_IMAGES) if isinstance(protocol, dict) else None
        if not isinstance(value, int) or isinstance(value, bool):
            what = "source.json has a value of the wrong type"
            where = f"{raw / 'source.json'}, protocol, {key}"
            raise faulty(what, where, "a whole number", repr(value))
        least = value
    if least < 1:
        raise MmclustError(
            "The threshold of coco_all is out of range",
            where="benchmarks.coco_all.min_images",
            expected="at least 1",
            found=least,
            do="give another min_images, or leave it out for the protocol's 100",
        )
    return least


def _annotations(raw: Path, member: str) -> Found:
    check_folder(raw)
    expected = f"{raw / member}, or {member} inside {raw / ANNOTATIONS}"
    return require([raw], ANNOTATIONS, member, [expected])


def _single_category(
    raw: Path, split: str, sources: dict[str, str], facts: Counter[str]
) -> Single:
    """Read a split's images with exactly one category; count what there is."""
    member = f"annotations/instances_{split}.json"
    instances = read_instances(_annotations(raw, member))
    sources[member] = instances.digest
    seen = np.zeros((len(instances.images), len(instances.names)), dtype=bool)
    # Every annotation counts, those of crowds included.
    seen[instances.image_rows, instances.name_rows] = True
    per_image = seen.sum(axis=1)
    rows = np.flatnonzero(per_image == 1)
    names = seen[rows].argmax(axis=1) if len(rows) else rows
    facts["annotations"] += len(instances.image_rows)
    facts["images_listed"] += len(instances.images)
    facts["images_annotated"] += int(np.count_nonzero(per_image))
    facts["images_single_category"] += len(rows)
    return [
        (instances.images[row], instances.names[name])
        for row, name in zip(rows.tolist(), names.tolist(), strict=True)
    ]


def _nothing_kept(raw: Path, least: int | None, counts: Counter[str]) -> MmclustError:
    what = "the ten classes"
    if least is not None:
        what = f"a category with at least {least} single-category images"
    top = some(f"{name} {count}" for name, count in counts.most_common())
    return MmclustError(
        f"No image of {what}",
        where=raw,
        expected="images with annotations of exactly one category",
        found=f"{counts.total():,} single-category images: {top or 'none'}",
        do="give the publisher's own annotations, or lower min_images where that "
        "is an option",
    )


def _captions(
    raw: Path, split: str, chosen: Single, sources: dict[str, str], images: bool
) -> tuple[dict[str, tuple[str, ...]], int]:
    """Read the chosen images' captions; count those that were empty."""
    member = f"annotations/captions_{split}.json"
    found = look_for([raw], ANNOTATIONS, member)
    if found is None and not images:
        return {}, 0
    found = found or _annotations(raw, member)
    ids = {image.id: image.image_id for image, _ in chosen}
    read, n_empty, sources[member] = read_captions(found, ids.keys())
    captions = {ids[i]: texts for i, texts in read.items()}
    refuse(
        sorted(set(ids.values()) - captions.keys()),
        "Selected images have no caption",
        found,
        "at least one caption that is not empty for each image",
        "without",
        "give the captions file that belongs to these instances",
    )
    return captions, n_empty


coco_cross = SingleCategory(
    """COCO-cross: single-category images of ten categories, one per supercategory.

The rule is one *category* per image (any number of instances of it), although
the publication speaks of supercategories; the ten come from ten of the twelve.

Source: the JECL data sets (arXiv 1901.01860), train2017 alone: 7,429 images.
The reference code skips an image whose file is missing without a word; here
that is an error, so that an incomplete download cannot pass for the benchmark.
""",
    NoParams,
    {
        "stop sign": 546, "airplane": 1_470, "suitcase": 187, "pizza": 393,
        "cell phone": 120, "person": 354, "giraffe": 1_723, "kite": 125,
        "toilet": 1_075, "clock": 1_436,
    },
)  # fmt: skip

coco_all = SingleCategory(
    """COCO-all: single-category images of every category that has at least 100.

Same source and same rule of one *category* per image as COCO-cross. The count
is taken over single-category images and before image files are looked at; a
category with exactly 100 stays.

Source: the JECL data sets (arXiv 1901.01860), train2017 alone: 23,189 images
of 43 categories.
""",
    AllParams,
    {
        "giraffe": 1_723, "airplane": 1_470, "clock": 1_436, "zebra": 1_432,
        "bird": 1_330, "train": 1_291, "elephant": 1_089, "toilet": 1_075, "cow": 962,
        "sheep": 847, "bear": 776, "horse": 658, "stop sign": 546, "vase": 509,
        "traffic light": 506, "boat": 496, "fire hydrant": 492, "bench": 483,
        "cat": 471, "teddy bear": 434, "pizza": 393, "dog": 374, "person": 354,
        "truck": 353, "bed": 337, "broccoli": 304, "banana": 289, "sink": 287,
        "motorcycle": 280, "bus": 266, "donut": 232, "scissors": 206, "suitcase": 187,
        "cake": 167, "orange": 149, "car": 149, "kite": 125, "refrigerator": 125,
        "oven": 124, "sandwich": 123, "cell phone": 120, "hot dog": 110,
        "umbrella": 109,
    },
)  # fmt: skip
