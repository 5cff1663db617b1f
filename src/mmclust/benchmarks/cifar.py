"""CIFAR: its files under the ten classes, or under the twenty coarse of the hundred."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._pixel_arrays import (
    PIXELS,
    SIDE,
    Pixels,
    check_range,
    check_records,
    pixels_built,
    read_batch,
)
from mmclust.benchmarks._source_files import Layout, read_layout
from mmclust.benchmarks._splits import Params as SplitParams
from mmclust.benchmarks._splits import roles
from mmclust.core.errors import MmclustError, some
from mmclust.core.text import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.types import Built

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Cifar:
    """All pictures of one of the two, under their own labels or coarse ones."""

    about: str
    SOURCE: str
    CLASSES: tuple[str, ...]
    archive: str  # what its archives are called, before -python or -binary
    folders: tuple[str, str]  # in the Python version's archive, and in the binary's
    files: Mapping[str, tuple[str, ...]]
    """Of each split, in order; the binary version's end in ``.bin``."""
    kinds: tuple[str, ...]
    """Kinds of labels of a record, in the order of the binary version's bytes; in the
    Python version, the keys."""
    per_class: dict[str, int]
    COARSE: tuple[int, ...] = ()  # the coarse label of each fine one
    DEFAULT_SPLIT: str = "train+test"
    Params: type = SplitParams

    def build(
        self, raw: Path, params: SplitParams, *, split: str, images: bool
    ) -> Built:
        """Take the official pictures; ids are ``train_00000`` … in file order."""
        role = roles(split, params.split_policy, report="test")
        names = tuple(name for part in role.parts for name in self.files[part])
        bins = tuple(f"{name}.bin" for name in names)
        python = Layout(f"{self.archive}-python.tar.gz", self.folders[0], names)
        binary = Layout(f"{self.archive}-binary.tar.gz", self.folders[1], bins)
        layout, files, where = read_layout(raw, [python, binary])
        read, ending = (_batch, "") if layout is python else (_records, ".bin")
        parts = {}
        for part in role.parts:
            at = {f"{where}, {n}{ending}": files[n + ending] for n in self.files[part]}
            held = [read(data, self.kinds, place) for place, data in at.items()]
            planes, labels = map(np.concatenate, zip(*held, strict=True))
            # The red plane comes first.
            rgb = planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
            parts[part] = Pixels(rgb, self._positions(labels, some(at)))
        sources = {
            f"{layout.folder}/{name}": hashlib.sha256(data).hexdigest()
            for name, data in files.items()
        }
        notes = {"split": split, "split_policy": params.split_policy}
        return pixels_built(parts, self.CLASSES, role, sources, notes, images=images)

    def expected(self, params: SplitParams, split: str) -> dict[str, int]:
        """Return the images of each class in the parts that are built."""
        role = roles(split, params.split_policy, report="test")
        return role.expected(self.CLASSES, self.per_class)

    def _positions(self, labels: Array, where: str) -> Array:
        """Return positions among the classes; a table's must be the file's."""
        if not self.COARSE:
            check_range(labels[:, 0], len(self.CLASSES), where)
            return labels[:, 0]
        stated, fine = labels.T
        check_range(fine, len(self.COARSE), f"{where}, fine_labels")
        check_range(stated, len(self.CLASSES), f"{where}, coarse_labels")
        table: Array = np.array(self.COARSE)[fine]
        wrong = np.flatnonzero(table != stated)
        if len(wrong):
            first = wrong[0]
            raise MmclustError(
                "The file's coarse labels are not those of the table",
                where=where,
                expected=f"fine label {fine[first]} under coarse label {table[first]}",
                found=f"under {stated[first]} in record {first:,}; "
                f"{len(wrong):,} such records",
                do="fetch the source again",
            )
        return table


def _records(data: bytes, kinds: tuple[str, ...], where: str) -> tuple[Array, Array]:
    """Return pixels (n, 3072) and labels (n, kinds) of the binary version."""
    count = check_records(len(data), len(kinds) + PIXELS, where)
    records = np.frombuffer(data, np.uint8).reshape(count, -1)
    return records[:, len(kinds) :], records[:, : len(kinds)].astype(np.int64)


def _batch(data: bytes, kinds: tuple[str, ...], where: str) -> tuple[Array, Array]:
    """Return pixels and labels as :func:`_records` does, of the Python version."""
    batch = read_batch(data, where)
    pixels = batch["data"]
    columns = [label_list(batch, kind, len(pixels), where) for kind in kinds]
    return pixels, np.stack(columns, axis=1)


def label_list(batch: Mapping[str, Any], kind: str, n: int, where: str) -> Array:
    """Return a batch's labels of one kind, int64 (n,)."""
    values = batch.get(kind)
    values = values if isinstance(values, list) else []
    odd = [shown(v) for v in values if type(v) is not int]
    if odd or len(values) != n:
        raise MmclustError(
            "A batch file's labels do not fit its pictures",
            where=f"{where}, {kind}",
            expected=f"a list of {n:,} whole numbers",
            found=some(odd, 3) if odd else f"{len(values):,}",
            do="fetch the source again",
        )
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.full(n, -1)


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
    "cifar-10",
    ("cifar-10-batches-py", "cifar-10-batches-bin"),
    {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
    ("labels",),
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
    "cifar-100",
    ("cifar-100-python", "cifar-100-binary"),
    {"train": ("train",), "test": ("test",)},
    ("coarse_labels", "fine_labels"),
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
