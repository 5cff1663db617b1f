"""CIFAR: its files under the ten classes, or under the twenty coarse of the hundred."""

from __future__ import annotations

from dataclasses import dataclass
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
from mmclust.benchmarks._splits import Params as SplitParams
from mmclust.benchmarks._splits import roles
from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built


@dataclass(frozen=True)
class Cifar:
    """All pictures of one of the two, under their own labels or coarse ones."""

    about: str
    SOURCE: str
    CLASSES: tuple[str, ...]
    versions: tuple[Version, ...]
    per_class: dict[str, int]
    COARSE: tuple[int, ...] = ()  # the coarse label of each fine one
    DEFAULT_SPLIT: str = "train+test"
    Params: type = SplitParams

    def __post_init__(self) -> None:
        """Say what it is, as a module does."""
        object.__setattr__(self, "__doc__", self.about)

    def build(
        self, raw: Path, params: SplitParams, *, split: str, images: bool
    ) -> Built:
        """Take the official pictures; ids are ``train_00000`` … in file order."""
        role = roles(split, params.split_policy, report="test")
        splits, sources = read_splits(raw, self.versions, role.parts)
        parts = {part: self._pixels(read) for part, read in splits.items()}
        notes = {"split": split, "split_policy": params.split_policy}
        return pixels_built(parts, self.CLASSES, role, sources, notes, images=images)

    def expected(self, params: SplitParams, split: str) -> dict[str, int]:
        """Return the images of each class in the parts that are built."""
        role = roles(split, params.split_policy, report="test")
        return role.expected(self.CLASSES, self.per_class)

    def _pixels(self, read: Split) -> Pixels:
        """Return the pictures under their labels; a table's must be the file's."""
        if not self.COARSE:
            check_range(read.labels["labels"], len(self.CLASSES), read.where)
            return read.pixels(read.labels["labels"])
        fine, stated = read.labels["fine_labels"], read.labels["coarse_labels"]
        check_range(fine, len(self.COARSE), f"{read.where}, fine_labels")
        check_range(stated, len(self.CLASSES), f"{read.where}, coarse_labels")
        table = np.array(self.COARSE)[fine]
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


_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
_KINDS = ("coarse_labels", "fine_labels")

cifar10 = Cifar(
    """CIFAR-10: 60,000 pictures of 32 × 32 pixels in ten classes.

Source: Krizhevsky 2009; the splits' roles as TAC and DXMC have them. Read from the
Python version, which is never unpickled, or the binary version; both hold the same
pictures in the same order.
""",
    "cifar10",
    (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
        "truck",
    ),
    (
        Version(
            "cifar-10-python.tar.gz", "cifar-10-batches-py",
            {"train": _BATCHES, "test": ("test_batch",)}, ("labels",),
        ),
        Version(
            "cifar-10-binary.tar.gz", "cifar-10-batches-bin",
            {"train": tuple(f"{n}.bin" for n in _BATCHES), "test": ("test_batch.bin",)},
            ("labels",),
        ),
    ),
    {"train": 5_000, "test": 1_000},
)  # fmt: skip


cifar20 = Cifar(
    """CIFAR-20: CIFAR-100's 60,000 pictures under its twenty coarse classes.

Source: Krizhevsky 2009. The deep-clustering papers map fine labels to coarse ones by
a table; the files also state the coarse label of each picture, and the two must agree.
""",
    "cifar100",
    (
        "aquatic mammals", "fish", "flowers", "food containers", "fruit and vegetables",
        "household electrical devices", "household furniture", "insects",
        "large carnivores", "large man-made outdoor things",
        "large natural outdoor scenes",
        "large omnivores and herbivores", "medium-sized mammals",
        "non-insect invertebrates", "people", "reptiles", "small mammals", "trees",
        "vehicles 1", "vehicles 2",
    ),
    (
        Version(
            "cifar-100-python.tar.gz", "cifar-100-python",
            {"train": ("train",), "test": ("test",)}, _KINDS,
        ),
        Version(
            "cifar-100-binary.tar.gz", "cifar-100-binary",
            {"train": ("train.bin",), "test": ("test.bin",)}, _KINDS,
        ),
    ),
    {"train": 2_500, "test": 500},
    (
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
    ),
)  # fmt: skip
