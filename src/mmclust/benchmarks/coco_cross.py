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

from mmclust.benchmarks._coco import build_single_category
from mmclust.benchmarks._coco_notes import Published

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "coco2017"
DEFAULT_SPLIT = "train2017"
CLASSES = (
    "stop sign",
    "airplane",
    "suitcase",
    "pizza",
    "cell phone",
    "person",
    "giraffe",
    "kite",
    "toilet",
    "clock",
)
PUBLISHED = Published(images=7_429, classes=10)


@dataclass(frozen=True)
class Params:
    """No options: the protocol leaves nothing open."""


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
        published=PUBLISHED,
        notes={},
        split=split,
        images=images,
    )
