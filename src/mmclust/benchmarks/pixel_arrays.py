"""CIFAR and STL-10: labelled arrays of pixels, of which pictures are made.

CIFAR is taken under its ten classes, or under the twenty coarse of the hundred.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._image_places import row_at
from mmclust.benchmarks._pickled_batches import PIXELS, read_batch
from mmclust.benchmarks._source_files import Layout, faulty, read_layout, shown
from mmclust.benchmarks._splits import TwoParts
from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.benchmarks._splits import SplitParams
    from mmclust.core.manifest import Row
    from mmclust.core.types import Built

    Array = np.ndarray[Any, Any]
    Parts = dict[str, tuple[Array, Array]]
    """Of each split uint8 (n, h, w, 3), and positions among the classes: int64 (n,)."""


@dataclass(frozen=True, kw_only=True)
class Arrays(TwoParts, ABC):
    """All labelled pictures of a data set that holds them as arrays."""

    @abstractmethod
    def read(self, raw: Path, names: Sequence[str]) -> tuple[Parts, dict[str, str]]:
        """Return the parts, and the digests of their files."""

    def build(
        self, raw: Path, params: SplitParams, *, split: str, images: bool
    ) -> Built:
        """Take the pictures; ids are ``train_00000`` … in file order."""
        names = self.roles(split, params.split_policy).parts
        parts, sources = self.read(raw, names)
        rows: list[Row] = []
        labels: dict[str, str] = {}
        classes = list(self.CLASSES)
        for part, (rgb, positions) in parts.items():
            size = (rgb.shape[2], rgb.shape[1])
            for i, position in enumerate(positions.tolist()):
                image_id = f"{part}_{i:05d}"
                labels[image_id] = classes[position]
                rows.append(row_at(image_id, None, f"{image_id}.png", part, size=size))
        built = self.built(split, params, rows, labels, sources)
        return replace(built, pictures=_pngs(parts)) if images else built


def _pngs(parts: Parts) -> Iterator[tuple[str, bytes]]:
    import cv2

    # Level 1 is as small as level 6 on 32 × 32 pixels.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    for split, (pictures, _) in parts.items():
        for i, rgb in enumerate(pictures):
            bgr = np.ascontiguousarray(rgb[:, :, ::-1])
            png = cv2.imencode(".png", bgr, options)[1].tobytes()
            yield f"{split}_{i:05d}.png", png


def _digests(layout: Layout, files: Mapping[str, bytes]) -> dict[str, str]:
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    return {f"{layout.folder}/{name}": digest for name, digest in digests.items()}


def _check_range(labels: np.ndarray[Any, Any], n: int, where: str) -> None:
    """Refuse labels outside 0 … n − 1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= n))
    if len(wrong):
        raise faulty(
            "Labels are out of range",
            where,
            f"0 to {n - 1}",
            f"{len(wrong):,} others, first {labels[wrong[0]]} in record {wrong[0]:,}",
        )


def _check_records(size: int, record: int, where: str) -> int:
    """Return how many records of ``record`` bytes a file of ``size`` bytes holds."""
    count, rest = divmod(size, record)
    if rest or not count:
        raise MmclustError(
            "A binary file does not hold whole records",
            where=where,
            expected=f"a multiple of {record:,} bytes",
            found=f"{size:,} bytes: {count:,} records and {rest:,} bytes more",
            do="fetch the source again; see that it is the version of this data set",
        )
    return count


@dataclass(frozen=True, kw_only=True)
class Cifar(Arrays):
    """All pictures of one of the two, under their own labels or coarse ones."""

    archive: str  # what its archives are called, before -python or -binary
    folders: tuple[str, str]  # in the Python version's archive, and in the binary's
    files: Mapping[str, tuple[str, ...]]
    """Of each split, in order; the binary version's end in ``.bin``."""
    kinds: tuple[str, ...]
    """Kinds of labels of a record, in the order of the binary version's bytes; in the
    Python version, the keys."""
    COARSE: tuple[int, ...] = ()  # the coarse label of each fine one

    def read(self, raw: Path, names: Sequence[str]) -> tuple[Parts, dict[str, str]]:
        """Read the Python version, or else the binary one."""
        python = tuple(name for part in names for name in self.files[part])
        binary = tuple(f"{name}.bin" for name in python)
        layouts = [
            Layout(f"{self.archive}-python.tar.gz", self.folders[0], python),
            Layout(f"{self.archive}-binary.tar.gz", self.folders[1], binary),
        ]
        layout, files, where = read_layout(raw, layouts)
        one, ending = (_batch, "") if layout is layouts[0] else (_records, ".bin")
        parts = {}
        for part in names:
            at = {f"{where}, {n}{ending}": files[n + ending] for n in self.files[part]}
            held = [one(data, self.kinds, place) for place, data in at.items()]
            planes, labels = map(np.concatenate, zip(*held, strict=True))
            # The red plane comes first.
            rgb = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            parts[part] = rgb, self._positions(labels, some(at))
        return parts, _digests(layout, files)

    def _positions(self, labels: Array, where: str) -> Array:
        """Return positions among the classes; a table's must be the file's."""
        if not self.COARSE:
            _check_range(labels[:, 0], len(self.CLASSES), where)
            return labels[:, 0]
        stated, fine = labels.T
        _check_range(fine, len(self.COARSE), f"{where}, fine_labels")
        _check_range(stated, len(self.CLASSES), f"{where}, coarse_labels")
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
    count = _check_records(len(data), len(kinds) + PIXELS, where)
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
    about="""CIFAR-10: 60,000 pictures of 32 × 32 pixels in ten classes.

Source: Krizhevsky 2009; the splits' roles as TAC and DXMC have them. Read from the
Python version, which is never unpickled, or the binary version; both hold the same
pictures in the same order.
""",
    SOURCE="cifar10",
    CLASSES=(
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
        "truck",
    ),
    archive="cifar-10",
    folders=("cifar-10-batches-py", "cifar-10-batches-bin"),
    files={
        "train": tuple(f"data_batch_{i}" for i in range(1, 6)),
        "test": ("test_batch",),
    },
    kinds=("labels",),
    per_class={"train": 5_000, "test": 1_000},
)  # fmt: skip


cifar20 = Cifar(
    about="""CIFAR-20: CIFAR-100's 60,000 pictures under its twenty coarse classes.

Source: Krizhevsky 2009. The deep-clustering papers map fine labels to coarse ones by
a table; the files also state the coarse label of each picture, and the two must agree.
""",
    SOURCE="cifar100",
    CLASSES=(
        "aquatic mammals", "fish", "flowers", "food containers", "fruit and vegetables",
        "household electrical devices", "household furniture", "insects",
        "large carnivores", "large man-made outdoor things",
        "large natural outdoor scenes",
        "large omnivores and herbivores", "medium-sized mammals",
        "non-insect invertebrates", "people", "reptiles", "small mammals", "trees",
        "vehicles 1", "vehicles 2",
    ),
    archive="cifar-100",
    folders=("cifar-100-python", "cifar-100-binary"),
    files={"train": ("train",), "test": ("test",)},
    kinds=("coarse_labels", "fine_labels"),
    per_class={"train": 2_500, "test": 500},
    COARSE=(
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


NAMES = "class_names.txt"


@dataclass(frozen=True, kw_only=True)
class Stl10(Arrays):
    """All labelled pictures of the binary version."""

    def read(self, raw: Path, names: Sequence[str]) -> tuple[Parts, dict[str, str]]:
        """Read the files of the parts, and hold the class names to the publisher's."""
        needed = tuple(f"{part}_{kind}.bin" for part in names for kind in "Xy")
        layout = Layout("stl10_binary.tar.gz", "stl10_binary", needed, (NAMES,))
        _, files, where = read_layout(raw, [layout])
        if NAMES in files:
            stated = tuple(files.pop(NAMES).decode("utf-8", "replace").split())
            if stated != self.CLASSES:
                raise faulty(
                    "STL-10's class names are others",
                    f"{where}, {NAMES}",
                    ", ".join(self.CLASSES),
                    ", ".join(stated) or "an empty file",
                )
        parts = {}
        for part in names:
            pictures, labels = (files[f"{part}_{kind}.bin"] for kind in "Xy")
            count = _check_records(len(pictures), 3 * 96 * 96, f"{where}, {part}_X.bin")
            at = f"{where}, {part}_y.bin"
            if len(labels) != count:
                raise faulty(
                    "STL-10's labels do not fit its pictures",
                    at,
                    f"{count:,} bytes, one for each picture",
                    f"{len(labels):,} bytes",
                )
            positions = np.frombuffer(labels, np.uint8).astype(np.int64) - 1
            _check_range(positions, len(self.CLASSES), f"{at} (less 1)")
            # Each plane is stored by column.
            planes = np.frombuffer(pictures, np.uint8).reshape(count, 3, 96, 96)
            parts[part] = planes.transpose(0, 3, 2, 1), positions
        return parts, _digests(layout, files)


stl10 = Stl10(
    about="""STL-10: 13,000 labelled pictures of 96 × 96 pixels in ten classes.

Source: Coates, Ng and Lee 2011, the binary version. The 100,000 unlabelled pictures
are not used. Older papers report train and test together (``split_policy: all``).
""",
    SOURCE="stl10",
    CLASSES=(
        "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship",
        "truck",
    ),
    per_class={"train": 500, "test": 800},
)  # fmt: skip
