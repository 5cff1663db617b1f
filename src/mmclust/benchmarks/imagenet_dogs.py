"""ImageNet-Dogs: fifteen breeds of ImageNet-1K, 19,500 images to train, 750 to report.

Source of the class list: Contrastive Clustering (AAAI 2021), which TAC and DXMC use.
TAC reports on val, DXMC on the train images it was fitted on (``split_policy: dxmc``),
so that the two papers' numbers cannot be compared.
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
    "n02085936": "Maltese", "n02086646": "Blenheim spaniel", "n02088238": "basset",
    "n02091467": "Norwegian elkhound", "n02097130": "giant schnauzer",
    "n02099601": "golden retriever", "n02101388": "Brittany spaniel",
    "n02101556": "clumber", "n02102177": "Welsh springer spaniel",
    "n02105056": "groenendael", "n02105412": "kelpie", "n02105855": "Shetland sheepdog",
    "n02107142": "Doberman", "n02110958": "pug", "n02112137": "chow",
}  # fmt: skip


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take all images of the fifteen classes."""
    role = roles(split, params.split_policy, report="val", dxmc_on_train=True)
    notes = {"split": split, "split_policy": params.split_policy}
    return build_subset(raw, CLASSES, "ImageNet-Dogs", role, notes, images=images)


def expected(params: Params, split: str) -> dict[str, int]:
    """Return the images of each class in the parts that are built."""
    role = roles(split, params.split_policy, report="val", dxmc_on_train=True)
    return role.expected(CLASSES, PER_CLASS)
