"""ImageNet-10: ten classes of ImageNet-1K, 13,000 images to train and 500 to report.

Source of the class list: Contrastive Clustering (AAAI 2021), which TAC and DXMC use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.benchmarks._imagenet import PER_CLASS, build_subset
from mmclust.benchmarks._splits import Params, roles

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "imagenet1k"
DEFAULT_SPLIT = "train+val"
CLASSES = {
    "n02056570": "king penguin", "n02085936": "Maltese dog",
    "n02128757": "snow leopard", "n02690373": "airliner", "n02692877": "airship",
    "n03095699": "container ship", "n04254680": "soccer ball",
    "n04285008": "sports car", "n04467665": "trailer truck", "n07747607": "orange",
}  # fmt: skip


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take all images of the ten classes."""
    role = roles(split, params.split_policy, report="val")
    notes = {"split": split, "split_policy": params.split_policy}
    return build_subset(raw, CLASSES, "ImageNet-10", role, notes, images=images)


def expected(params: Params, split: str) -> dict[str, int]:
    """Return the images of each class in the parts that are built."""
    role = roles(split, params.split_policy, report="val")
    return role.expected(CLASSES, PER_CLASS)
