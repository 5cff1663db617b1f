"""ImageNet-10: ten classes of ImageNet-1K, 13,000 images to train and 500 to report.

Source of the class list: Contrastive Clustering (AAAI 2021), which TAC and DXMC use.
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
    "n02056570": "king penguin",
    "n02085936": "Maltese dog",
    "n02128757": "snow leopard",
    "n02690373": "airliner",
    "n02692877": "airship",
    "n03095699": "container ship",
    "n04254680": "soccer ball",
    "n04285008": "sports car",
    "n04467665": "trailer truck",
    "n07747607": "orange",
}


@dataclass(frozen=True)
class Params:
    """Which splits are fitted on and reported."""

    split_policy: str = "tac"
    """``tac`` (and ``dxmc``, here the same): fit train, evaluate val; ``all``: both
    for both; ``train``: train for both, as Contrastive Clustering."""


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take all images of the ten classes.

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
        "ImageNet-10",
        policy=params.split_policy,
        split=split,
        images=images,
    )


def expected(params: Params, split: str) -> dict[str, int]:
    """Return the images of each class in the parts that are built."""
    parts = roles(split, params.split_policy, report="val").parts
    return expected_counts(tuple(CLASSES), PER_CLASS, parts)
