"""ImageNet-Dogs: fifteen breeds of ImageNet-1K, 19,500 images to train, 750 to report.

Source of the class list: Contrastive Clustering (AAAI 2021), which TAC and DXMC use.
TAC reports on val, DXMC on the train images it was fitted on (``split_policy: dxmc``),
so that the two papers' numbers cannot be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks._imagenet import PER_CLASS, build_subset
from mmclust.benchmarks._split_policy import expected_counts, roles

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "imagenet1k"
DEFAULT_SPLIT = "train+val"
CLASSES = {
    "n02085936": "Maltese",
    "n02086646": "Blenheim spaniel",
    "n02088238": "basset",
    "n02091467": "Norwegian elkhound",
    "n02097130": "giant schnauzer",
    "n02099601": "golden retriever",
    "n02101388": "Brittany spaniel",
    "n02101556": "clumber",
    "n02102177": "Welsh springer spaniel",
    "n02105056": "groenendael",
    "n02105412": "kelpie",
    "n02105855": "Shetland sheepdog",
    "n02107142": "Doberman",
    "n02110958": "pug",
    "n02112137": "chow",
}


@dataclass(frozen=True)
class Params:
    """Which splits are fitted on and reported."""

    split_policy: str = "tac"
    """``tac``: fit train, evaluate val; ``dxmc``: train for both, as its code has it;
    ``all``: both for both; ``train``: train for both, as Contrastive Clustering."""


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take all images of the fifteen classes.

    Parameters
    ----------
    raw
        Folder of ImageNet-1K: class folders, zips of them, or the official tars.
    params
        The policy.
    split
        ``train+val`` (the policy chooses), ``train`` or ``val``.
    images
        Whether rows say where the files are.

    Returns
    -------
    Built
        One row per image; class names are WordNet ids.

    Raises
    ------
    MmclustError
        See :func:`mmclust.benchmarks._imagenet.build_subset`.
    """
    return build_subset(
        raw,
        CLASSES,
        "ImageNet-Dogs",
        policy=params.split_policy,
        split=split,
        images=images,
        dxmc_on_train=True,
    )


def expected(params: Params, split: str) -> dict[str, int]:
    """Return the images of each class in the parts that are built."""
    policy = params.split_policy
    parts = roles(split, policy, report="val", dxmc_on_train=True).parts
    return expected_counts(tuple(CLASSES), PER_CLASS, parts)
