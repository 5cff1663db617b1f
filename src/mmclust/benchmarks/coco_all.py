"""COCO-all: single-category images of every category that has at least 100.

Same source and same rule of one *category* per image as COCO-cross. The count
is taken over single-category images and before image files are looked at; a
category with exactly 100 stays.

Source: the JECL data sets (arXiv 1901.01860), train2017 alone: 23,189 images
of 43 categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks import _coco_single_category
from mmclust.benchmarks._coco_single_category import build_single_category
from mmclust.benchmarks._source_files import protocol_value
from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "coco2017"
DEFAULT_SPLIT = "train2017"
MIN_IMAGES = 100
PUBLISHED = {
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
"""Images of each class in train2017: 23,189 of 43."""

incomparable = _coco_single_category.incomparable
"""Only the published train2017 has the published counts."""


@dataclass(frozen=True)
class Params:
    """What the protocol leaves open."""

    min_images: int | None = None
    """Images a category needs, inclusive; ``None``: what the source's
    ``source.json`` says (a small mirror asks for fewer), else 100."""


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the published counts where options and split are the protocol's."""
    least = MIN_IMAGES if params.min_images is None else params.min_images
    return PUBLISHED if (split, least) == (DEFAULT_SPLIT, MIN_IMAGES) else None


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Choose the images of all categories that are frequent enough."""
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

    return build_single_category(
        raw,
        lambda counts: {name for name, n in counts.items() if n >= least},
        what=f"a category with at least {least} single-category images",
        notes={"min_images": least},
        split=split,
        images=images,
    )
