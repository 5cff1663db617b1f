"""The protocol that COCO-cross and COCO-all share: one category per image."""

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
    require,
    source_facts,
)
from mmclust.benchmarks._splits import splits_of
from mmclust.core.archives import check_folder
from mmclust.core.errors import MmclustError, some
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from mmclust.benchmarks._coco_annotations import ImageRecord, Instances
    from mmclust.core.manifest import Row


PROTOCOL = "1"
SPLITS = {"train2017": "train", "val2017": "val"}
ANNOTATIONS = "annotations_trainval2017.zip"


@dataclass
class _Part:
    """One split on its way through the protocol."""

    split: str
    singles: list[tuple[ImageRecord, str]]
    """Images with exactly one category, and its name."""
    facts: dict[str, int]
    chosen: list[tuple[ImageRecord, str]] = field(default_factory=list)
    captions: dict[int, tuple[str, ...]] = field(default_factory=dict)


def build_single_category(
    raw: Path,
    keep: Callable[[Mapping[str, int]], set[str]],
    *,
    what: str,
    notes: dict[str, Any],
    split: str,
    images: bool,
) -> Built:
    """Choose images that show one category, by the categories' counts."""
    check_folder(raw)
    sources: dict[str, str] = {}
    parts = [_single_category(raw, name, sources) for name in splits_of(split, SPLITS)]
    counts, kept = _choose(raw, parts, keep, what)
    n_empty = sum(_attach_captions(raw, part, sources, images) for part in parts)
    rows, containers = _rows(raw, parts, images)
    facts = Counter[str]()
    for part in parts:
        facts.update(part.facts)
    notes = {
        "split": split,
        **facts,
        **count_notes(counts, kept),
        **notes,
        "empty_captions_dropped": n_empty,
        "image_files": container_notes(raw, containers) if images else "not looked for",
    }
    if not all(part.captions for part in parts if part.chosen):
        notes["captions"] = "none: no captions file, and --annotations-only was given"
    labels = {i.image_id: name for part in parts for i, name in part.chosen}
    return Built(rows, labels, PROTOCOL, sources, notes)


def _choose(
    raw: Path,
    parts: list[_Part],
    keep: Callable[[Mapping[str, int]], set[str]],
    what: str,
) -> tuple[Counter[str], set[str]]:
    """Set each part's chosen images; return all categories' counts, and the kept."""
    counts = Counter(name for part in parts for _, name in part.singles)
    kept = keep(counts)
    for part in parts:
        part.chosen = [(image, name) for image, name in part.singles if name in kept]
    if not kept:
        top = some(f"{name} {count}" for name, count in counts.most_common())
        raise MmclustError(
            f"No image of {what}",
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
    seen = categories_seen(instances)
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


def categories_seen(instances: Instances) -> np.ndarray[Any, Any]:
    """Return which image shows which category: bool (n_images, n_categories).

    Every annotation counts, those of crowds included.
    """
    seen = np.zeros((len(instances.images), len(instances.names)), dtype=bool)
    seen[instances.image_rows, instances.name_rows] = True
    return seen


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


ANNOTATED_UPSTREAM = 117_266
"""Images of the published train2017 that have at least one annotation."""


def count_notes(counts: Mapping[str, int], kept: Collection[str]) -> dict[str, Any]:
    """Return the single-category counts and what fell to the rule."""
    ordered = {n: counts[n] for n in sorted(counts, key=lambda n: (-counts[n], n))}
    return {
        "single_category_per_class": ordered,
        "dropped_categories": {n: c for n, c in ordered.items() if n not in kept},
    }


def incomparable(raw: Path, built: Built) -> str | None:
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
