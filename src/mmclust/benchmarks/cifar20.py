"""CIFAR-20: CIFAR-100's 60,000 pictures under its twenty coarse classes.

Source: Krizhevsky 2009. The deep-clustering papers map fine labels to coarse ones by
a table; the files also state the coarse label of each picture, and the two must agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mmclust.benchmarks._pixel_arrays import (
    Pixels,
    Split,
    Version,
    check_range,
    pixels_built,
    read_splits,
)
from mmclust.benchmarks._splits import Params, roles
from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "cifar100"
DEFAULT_SPLIT = "train+test"
CLASSES = (
    "aquatic mammals", "fish", "flowers", "food containers", "fruit and vegetables",
    "household electrical devices", "household furniture", "insects",
    "large carnivores", "large man-made outdoor things", "large natural outdoor scenes",
    "large omnivores and herbivores", "medium-sized mammals",
    "non-insect invertebrates", "people", "reptiles", "small mammals", "trees",
    "vehicles 1", "vehicles 2",
)  # fmt: skip
# Coarse label of each fine label 0 … 99.
COARSE = (
    4, 1, 14, 8, 0, 6, 7, 7, 18, 3,
    3, 14, 9, 18, 7, 11, 3, 9, 7, 11,
    6, 11, 5, 10, 7, 6, 13, 15, 3, 15,
    0, 11, 1, 10, 12, 14, 16, 9, 11, 5,
    5, 19, 8, 8, 15, 13, 14, 17, 18, 10,
    16, 4, 17, 4, 2, 0, 17, 4, 18, 17,
    10, 3, 2, 12, 12, 16, 12, 1, 9, 19,
    2, 10, 0, 1, 16, 12, 9, 13, 15, 13,
    16, 19, 2, 4, 6, 19, 5, 5, 8, 19,
    18, 1, 2, 15, 6, 0, 17, 8, 14, 13,
)  # fmt: skip
PER_CLASS = {"train": 2_500, "test": 500}
KINDS = ("coarse_labels", "fine_labels")
FILES = {"train": ("train",), "test": ("test",)}
BINARY = {"train": ("train.bin",), "test": ("test.bin",)}
VERSIONS = (
    Version("cifar-100-python.tar.gz", "cifar-100-python", FILES, KINDS),
    Version("cifar-100-binary.tar.gz", "cifar-100-binary", BINARY, KINDS),
)


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take the official pictures; ids are ``train_00000`` … in file order."""
    role = roles(split, params.split_policy, report="test")
    splits, sources = read_splits(raw, VERSIONS, role.parts)
    parts = {part: _coarse(read) for part, read in splits.items()}
    notes = {"split": split, "split_policy": params.split_policy}
    return pixels_built(parts, CLASSES, role, sources, notes, images=images)


def _coarse(read: Split) -> Pixels:
    """Return the pictures under the table's labels, which must be the file's."""
    fine, stated = read.labels["fine_labels"], read.labels["coarse_labels"]
    check_range(fine, len(COARSE), f"{read.where}, fine_labels")
    check_range(stated, len(CLASSES), f"{read.where}, coarse_labels")
    table = np.array(COARSE)[fine]
    wrong = np.flatnonzero(table != stated)
    if len(wrong):
        first = wrong[0]
        raise MmclustError(
            "The file's coarse labels are not those of the table",
            where=read.where,
            expected=f"fine label {fine[first]} under coarse label {table[first]}",
            found=f"under {stated[first]} in record {first:,}; "
            f"{len(wrong):,} such records",
            do="fetch the source again",
        )
    return read.pixels(table)


def expected(params: Params, split: str) -> dict[str, int]:
    """Return the images of each class in the parts that are built."""
    role = roles(split, params.split_policy, report="test")
    return role.expected(CLASSES, PER_CLASS)
