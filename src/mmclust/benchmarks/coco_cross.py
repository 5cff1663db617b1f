"""COCO-cross: single-category images of ten categories, one per supercategory.

The rule is one *category* per image (any number of instances of it), although
the publication speaks of supercategories; the ten come from ten of the twelve.

Source: the JECL data sets (arXiv 1901.01860), train2017 alone: 7,429 images.
The reference code skips an image whose file is missing without a word; here
that is an error, so that an incomplete download cannot pass for the benchmark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.benchmarks import _coco_single_category
from mmclust.benchmarks._coco_single_category import build_single_category
from mmclust.benchmarks._splits import NoParams as Params  # noqa: TC001

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "coco2017"
DEFAULT_SPLIT = "train2017"
PUBLISHED = {
    "stop sign": 546, "airplane": 1_470, "suitcase": 187, "pizza": 393,
    "cell phone": 120, "person": 354, "giraffe": 1_723, "kite": 125, "toilet": 1_075,
    "clock": 1_436,
}  # fmt: skip
"""The ten classes, and how many images each has in train2017: 7,429."""
CLASSES = tuple(PUBLISHED)

incomparable = _coco_single_category.incomparable
"""Only the published train2017 has the published counts."""


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the published counts where the split is the protocol's."""
    del params
    return PUBLISHED if split == DEFAULT_SPLIT else None


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Choose the images of the ten categories."""
    del params
    return build_single_category(
        raw,
        lambda counts: counts.keys() & set(CLASSES),
        what="the ten classes",
        notes={},
        split=split,
        images=images,
    )
