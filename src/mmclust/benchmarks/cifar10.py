"""CIFAR-10: 60,000 pictures of 32 × 32 pixels in ten classes.

Source: Krizhevsky 2009; the splits' roles as TAC and DXMC have them. Read from the
Python version, which is never unpickled, or the binary version; both hold the same
pictures in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmclust.benchmarks._pixel_arrays import (
    Version,
    check_range,
    pixels_built,
    read_splits,
)
from mmclust.benchmarks._splits import Params, roles

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "cifar10"
DEFAULT_SPLIT = "train+test"
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
    "truck",
)  # fmt: skip
PER_CLASS = {"train": 5_000, "test": 1_000}
BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
FILES = {"train": BATCHES, "test": ("test_batch",)}
BINARY = {split: tuple(f"{n}.bin" for n in names) for split, names in FILES.items()}
VERSIONS = (
    Version("cifar-10-python.tar.gz", "cifar-10-batches-py", FILES, ("labels",)),
    Version("cifar-10-binary.tar.gz", "cifar-10-batches-bin", BINARY, ("labels",)),
)


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take the official pictures; ids are ``train_00000`` … in file order."""
    role = roles(split, params.split_policy, report="test")
    splits, sources = read_splits(raw, VERSIONS, role.parts)
    parts = {}
    for part, read in splits.items():
        check_range(read.labels["labels"], len(CLASSES), read.where)
        parts[part] = read.pixels(read.labels["labels"])
    notes = {"split": split, "split_policy": params.split_policy}
    return pixels_built(parts, CLASSES, role, sources, notes, images=images)


def expected(params: Params, split: str) -> dict[str, int]:
    """Return the images of each class in the parts that are built."""
    role = roles(split, params.split_policy, report="test")
    return role.expected(CLASSES, PER_CLASS)
