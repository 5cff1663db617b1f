"""COCO-cross and COCO-all, which share a protocol: one category per image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._coco_annotations import read_captions, read_instances
from mmclust.benchmarks._image_places import locate_images, row_at
from mmclust.benchmarks._source_files import (
    container_notes,
    find,
    protocol_value,
    require,
    source_facts,
)
from mmclust.benchmarks._splits import NoParams, splits_of
from mmclust.core.archives import check_folder
from mmclust.core.errors import MmclustError, some
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mmclust.benchmarks._coco_annotations import ImageRecord
    from mmclust.core.manifest import Row


PROTOCOL = "1"
SPLITS = {"train2017": "train", "val2017": "val"}
ANNOTATIONS = "annotations_trainval2017.zip"
SOURCE = "coco2017"
DEFAULT_SPLIT = "train2017"
MIN_IMAGES = 100
ANNOTATED_UPSTREAM = 117_266
"""Images of the published train2017 that have at least one annotation."""


@dataclass(frozen=True)
class Rule:
    """Which categories are kept, by their counts of single-category images."""

    what: str
    keep: Callable[[Mapping[str, int]], set[str]]
    notes: dict[str, Any]


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
    rule: Callable[[Path, Any], Rule]
    PUBLISHED: dict[str, int]  # images of each class in train2017
    SOURCE: str = SOURCE
    DEFAULT_SPLIT: str = DEFAULT_SPLIT

    def __post_init__(self) -> None:
        """Say what it is, as a module does."""
        object.__setattr__(self, "__doc__", self.about)

    @property
    def CLASSES(self) -> tuple[str, ...]:  # noqa: N802 - as of a module
        """The published classes."""
        return tuple(self.PUBLISHED)

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
        if source_facts(raw).get("mirror") == "upstream":
            return None
        if n_annotated == ANNOTATED_UPSTREAM:
            return None
        return (
            f"not the published train2017, which has {ANNOTATED_UPSTREAM:,} annotated "
            f"images; here are {n_annotated:,}"
        )

    def build(self, raw: Path, params: Any, *, split: str, images: bool) -> Built:
        """Choose the images that show one category, of those that the rule keeps."""
        rule = self.rule(raw, params)
        check_folder(raw)
        sources: dict[str, str] = {}
        parts = [
            _single_category(raw, name, sources) for name in splits_of(split, SPLITS)
        ]
        counts, kept = _choose(raw, parts, rule)
        n_empty = sum(_attach_captions(raw, part, sources, images) for part in parts)
        rows, containers = _rows(raw, parts, images)
        facts = Counter[str]()
        for part in parts:
            facts.update(part.facts)
        ordered = {n: counts[n] for n in sorted(counts, key=lambda n: (-counts[n], n))}
        notes = {
            "split": split,
            **facts,
            "single_category_per_class": ordered,
            "dropped_categories": {n: c for n, c in ordered.items() if n not in kept},
            **rule.notes,
            "empty_captions_dropped": n_empty,
            "image_files": container_notes(raw, containers)
            if images
            else "not looked for",
        }
        if not all(part.captions for part in parts if part.chosen):
            notes["captions"] = (
                "none: no captions file, and --annotations-only was given"
            )
        labels = {i.image_id: name for part in parts for i, name in part.chosen}
        return Built(rows, labels, PROTOCOL, sources, notes)


@dataclass
class _Part:
    """One split on its way through the protocol."""

    split: str
    singles: list[tuple[ImageRecord, str]]
    """Images with exactly one category, and its name."""
    facts: dict[str, int]
    chosen: list[tuple[ImageRecord, str]] = field(default_factory=list)
    captions: dict[int, tuple[str, ...]] = field(default_factory=dict)


def _choose(
    raw: Path,
    parts: list[_Part],
    rule: Rule,
) -> tuple[Counter[str], set[str]]:
    """Set each part's chosen images; return all categories' counts, and the kept."""
    counts = Counter(name for part in parts for _, name in part.singles)
    kept = rule.keep(counts)
    for part in parts:
        part.chosen = [(image, name) for image, name in part.singles if name in kept]
    if not kept:
        top = some(f"{name} {count}" for name, count in counts.most_common())
        raise MmclustError(
            f"No image of {rule.what}",
            where=raw,
            expected="images with annotations of exactly one category",
            found=f"{counts.total():,} single-category images: {top or 'none'}",
            do="give the publisher's own annotations, or lower min_images where that "
            "is an option",
        )
    return counts, kept


def _single_category(raw: Path, split: str, sources: dict[str, str]) -> _Part:
    member = f"annotations/instances_{split}.json"
    instances = read_instances(require(raw, ANNOTATIONS, member))
    sources[member] = instances.digest
    seen = np.zeros((len(instances.images), len(instances.names)), dtype=bool)
    # Every annotation counts, those of crowds included.
    seen[instances.image_rows, instances.name_rows] = True
    per_image = seen.sum(axis=1)
    rows = np.flatnonzero(per_image == 1)
    names = seen[rows].argmax(axis=1) if len(rows) else rows
    singles = [
        (instances.images[row], instances.names[name])
        for row, name in zip(rows.tolist(), names.tolist(), strict=True)
    ]
    facts = {
        "annotations": len(instances.image_rows),
        "images_listed": len(instances.images),
        "images_annotated": int(np.count_nonzero(per_image)),
        "images_single_category": len(singles),
    }
    return _Part(split, singles, facts)


def _attach_captions(
    raw: Path, part: _Part, sources: dict[str, str], images: bool
) -> int:
    """Read the chosen images' captions; return how many were empty."""
    member = f"annotations/captions_{part.split}.json"
    found = (require if images else find)(raw, ANNOTATIONS, member)
    if found is None:
        return 0
    wanted = {image.id for image, _ in part.chosen}
    part.captions, n_empty, sources[member] = read_captions(found, wanted)
    bare = sorted(wanted - part.captions.keys())
    if bare:
        raise MmclustError(
            "Selected images have no caption",
            where=found,
            expected="at least one caption that is not empty for each image",
            found=f"{len(bare):,} without: {some(f'{i:012d}' for i in bare)}",
            do="give the captions file that belongs to these instances",
        )
    return n_empty


def _rows(raw: Path, parts: list[_Part], images: bool) -> tuple[list[Row], set[Path]]:
    rows = []
    containers = set()
    for part in parts:
        files = {image.image_id: image.file for image, _ in part.chosen}
        places = locate_images(raw, part.split, files) if images else {}
        containers |= {place.container for place in places.values()}
        rows += [
            row_at(
                image_id,
                places.get(image_id),
                f"{part.split}/{file}",
                SPLITS[part.split],
                part.captions.get(image.id, ()),
                (image.width, image.height),
            )
            for (image, _), (image_id, file) in zip(
                part.chosen, files.items(), strict=True
            )
        ]
    return rows, containers


def _ten(raw: Path, params: NoParams) -> Rule:
    del raw, params
    return Rule("the ten classes", lambda counts: counts.keys() & set(_TEN), {})


def _frequent(raw: Path, params: AllParams) -> Rule:
    least = params.min_images
    if least is None:
        least = protocol_value(raw, "coco_all.min_images", MIN_IMAGES)
    if least < 1:
        raise MmclustError(
            "The threshold of coco_all is out of range",
            where="benchmarks.coco_all.min_images",
            expected="at least 1",
            found=least,
            do="give another min_images, or leave it out for the protocol's 100",
        )
    return Rule(
        f"a category with at least {least} single-category images",
        lambda counts: {name for name, n in counts.items() if n >= least},
        {"min_images": least},
    )


_TEN = {
    "stop sign": 546, "airplane": 1_470, "suitcase": 187, "pizza": 393,
    "cell phone": 120, "person": 354, "giraffe": 1_723, "kite": 125, "toilet": 1_075,
    "clock": 1_436,
}  # fmt: skip

coco_cross = SingleCategory(
    """COCO-cross: single-category images of ten categories, one per supercategory.

The rule is one *category* per image (any number of instances of it), although
the publication speaks of supercategories; the ten come from ten of the twelve.

Source: the JECL data sets (arXiv 1901.01860), train2017 alone: 7,429 images.
The reference code skips an image whose file is missing without a word; here
that is an error, so that an incomplete download cannot pass for the benchmark.
""",
    NoParams,
    _ten,
    _TEN,
)

_OF_43 = {
    "giraffe": 1_723, "airplane": 1_470, "clock": 1_436, "zebra": 1_432, "bird": 1_330,
    "train": 1_291, "elephant": 1_089, "toilet": 1_075, "cow": 962, "sheep": 847,
    "bear": 776, "horse": 658, "stop sign": 546, "vase": 509, "traffic light": 506,
    "boat": 496, "fire hydrant": 492, "bench": 483, "cat": 471, "teddy bear": 434,
    "pizza": 393, "dog": 374, "person": 354, "truck": 353, "bed": 337, "broccoli": 304,
    "banana": 289, "sink": 287, "motorcycle": 280, "bus": 266, "donut": 232,
    "scissors": 206, "suitcase": 187, "cake": 167, "orange": 149, "car": 149,
    "kite": 125, "refrigerator": 125, "oven": 124, "sandwich": 123, "cell phone": 120,
    "hot dog": 110, "umbrella": 109,
}  # fmt: skip

coco_all = SingleCategory(
    """COCO-all: single-category images of every category that has at least 100.

Same source and same rule of one *category* per image as COCO-cross. The count
is taken over single-category images and before image files are looked at; a
category with exactly 100 stays.

Source: the JECL data sets (arXiv 1901.01860), train2017 alone: 23,189 images
of 43 categories.
""",
    AllParams,
    _frequent,
    _OF_43,
)
