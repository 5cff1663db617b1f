"""STL-10: 13,000 labelled pictures of 96 × 96 pixels in ten classes.

Source: Coates, Ng and Lee 2011, the binary version. The 100,000 unlabelled pictures
are not used. Older papers report train and test together (``split_policy: all``).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from mmclust.benchmarks._pixel_arrays import (
    Pixels,
    check_range,
    check_records,
    pixels_built,
)
from mmclust.benchmarks._source_files import Layout, read_layout
from mmclust.benchmarks._splits import Params, roles
from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "stl10"
DEFAULT_SPLIT = "train+test"
CLASSES = (
    "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
)  # fmt: skip
PER_CLASS = {"train": 500, "test": 800}
SIDE = 96
NAMES = "class_names.txt"


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Take the labelled pictures; ids are ``train_00000`` … in file order."""
    role = roles(split, params.split_policy, report="test")
    needed = tuple(f"{part}_{kind}.bin" for part in role.parts for kind in "Xy")
    layout = Layout("stl10_binary.tar.gz", "stl10_binary", needed, (NAMES,))
    _, files, where = read_layout(raw, [layout])
    names: tuple[str, ...] = CLASSES
    if NAMES in files:
        names = tuple(files[NAMES].decode("utf-8", "replace").split())
    if names != CLASSES:
        raise MmclustError(
            "STL-10's class names are others",
            where=f"{where}, {NAMES}",
            expected=", ".join(CLASSES),
            found=", ".join(names) or "an empty file",
            do="fetch the source again",
        )
    parts = {
        part: _pixels(files[f"{part}_X.bin"], files[f"{part}_y.bin"], part, where)
        for part in role.parts
    }
    sources = {
        f"{layout.folder}/{name}": hashlib.sha256(data).hexdigest()
        for name, data in files.items()
        if name != NAMES
    }
    notes = {"split": split, "split_policy": params.split_policy}
    return pixels_built(parts, CLASSES, role, sources, notes, images=images)


def _pixels(pictures: bytes, labels: bytes, part: str, where: str) -> Pixels:
    """Read one split: planes by column; labels from 1."""
    count = check_records(len(pictures), 3 * SIDE * SIDE, f"{where}, {part}_X.bin")
    if len(labels) != count:
        raise MmclustError(
            "STL-10's labels do not fit its pictures",
            where=f"{where}, {part}_y.bin",
            expected=f"{count:,} bytes, one for each picture",
            found=f"{len(labels):,} bytes",
            do="fetch the source again",
        )
    planes = np.frombuffer(pictures, np.uint8).reshape(count, 3, SIDE, SIDE)
    positions = np.frombuffer(labels, np.uint8).astype(np.int64) - 1
    check_range(positions, len(CLASSES), f"{where}, {part}_y.bin (less 1)")
    return Pixels(planes.transpose(0, 3, 2, 1), positions)


def expected(params: Params, split: str) -> dict[str, int]:
    """Return the images of each class in the parts that are built."""
    role = roles(split, params.split_policy, report="test")
    return role.expected(CLASSES, PER_CLASS)
