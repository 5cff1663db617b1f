"""COCO-cross: single-category images of ten categories, one per supercategory.

The rule is one *category* per image (any number of instances of it), although
the publication speaks of supercategories; the ten come from ten of the twelve.

Source: the JECL data sets (arXiv 1901.01860), train2017 alone: 7,429 images.
The reference code skips an image whose file is missing without a word; here
that is an error, so that an incomplete download cannot pass for the benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks import _coco_single_category
from mmclust.benchmarks._coco_single_category import build_single_category

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "coco2017"
DEFAULT_SPLIT = "train2017"
PUBLISHED = {
    "stop sign": 546,
    "airplane": 1_470,
    "suitcase": 187,
    "pizza": 393,
    "cell phone": 120,
    "person": 354,
    "giraffe": 1_723,
    "kite": 125,
    "toilet": 1_075,
    "clock": 1_436,
}
"""The ten classes, and how many images each has in train2017: 7,429."""
CLASSES = tuple(PUBLISHED)

incomparable = _coco_single_category.incomparable
"""Only the published train2017 has the published counts."""


@dataclass(frozen=True)
class Params:
    """No options: the protocol leaves nothing open."""


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the published counts where the split is the protocol's."""
    del params
    return PUBLISHED if split == DEFAULT_SPLIT else None


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Choose the images of the ten categories.

    Parameters
    ----------
    raw
        Folder of COCO 2017, archives unpacked or not.
    params
        None.
    split
        ``train2017`` (the protocol's), ``val2017`` or ``train2017+val2017``.
    images
        Whether to look for the image files.

    Returns
    -------
    Built
        One row per image.

    Raises
    ------
    MmclustError
        When a file is missing or damaged, or no image is left.
    """
    del params

    def keep(counts: Mapping[str, int]) -> set[str]:
        return set(CLASSES) & set(counts)

    return build_single_category(
        raw,
        keep,
        what="the ten classes",
        notes={},
        split=split,
        images=images,
    )
