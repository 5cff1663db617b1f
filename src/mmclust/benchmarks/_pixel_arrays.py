"""Data sets that are arrays of pixels: CIFAR's files, and pictures made of rows.

CIFAR comes as the Python version's batches or the binary version's records.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._cifar_pickle import PIXELS, read_batch
from mmclust.benchmarks._source_files import Layout, read_layout
from mmclust.core.errors import MmclustError, some
from mmclust.core.manifest import Row
from mmclust.core.text import shown
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.benchmarks._split_policy import Roles


@dataclass(frozen=True)
class Pixels:
    """One split of a data set that is one array.

    Parameters
    ----------
    rgb
        uint8 (n, h, w, 3), in file order.
    labels
        int64 (n,), positions in the list of classes.
    """

    rgb: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]


def pixels_built(
    parts: Mapping[str, Pixels],
    classes: Sequence[str],
    roles: Roles,
    sources: dict[str, str],
    notes: dict[str, Any],
    *,
    images: bool,
) -> Built:
    """Turn arrays into a benchmark; ids are ``<split>_<position>``, five digits."""
    rows: list[Row] = []
    labels: dict[str, str] = {}
    for split, part in parts.items():
        _, height, width, _ = part.rgb.shape
        for i, label in enumerate(part.labels.tolist()):
            name = f"{split}_{i:05d}"
            labels[name] = classes[label]
            rows.append(
                Row(name, None, f"{name}.png", None, None, width, height, (), split)
            )
    return Built(
        rows,
        labels,
        roles.protocol,
        sources,
        notes | {"classes_per_split": _class_counts(parts, classes)},
        fit=roles.fit,
        evaluate=roles.evaluate,
        pictures=_pngs(parts) if images else None,
    )


def _class_counts(
    parts: Mapping[str, Pixels], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    counts = {split: Counter(part.labels.tolist()) for split, part in parts.items()}
    return {
        split: {name: count[i] for i, name in enumerate(classes)}
        for split, count in counts.items()
    }


def _pngs(parts: Mapping[str, Pixels]) -> Iterator[tuple[str, bytes]]:
    import cv2

    # Level 1 is as small as level 6 on 32 × 32 pixels.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    for split, part in parts.items():
        for i, rgb in enumerate(part.rgb):
            bgr = np.ascontiguousarray(rgb[:, :, ::-1])
            yield (
                f"{split}_{i:05d}.png",
                cv2.imencode(".png", bgr, options)[1].tobytes(),
            )


SIDE = 32


@dataclass(frozen=True)
class Version:
    """Where a data set's splits and labels lie in one of the two versions.

    Parameters
    ----------
    archive, folder
        As published.
    files
        Files of each split, in order.
    labels
        Kinds of labels of a record, in the order of the binary version's bytes;
        in the Python version, the keys.
    """

    archive: str
    folder: str
    files: Mapping[str, tuple[str, ...]]
    labels: tuple[str, ...]

    @property
    def binary(self) -> bool:
        """Whether files are records of bytes, not Python batches."""
        return self.folder.endswith(("-bin", "-binary"))


@dataclass(frozen=True)
class Split:
    """One split as read.

    Parameters
    ----------
    rgb
        uint8 (n, 32, 32, 3), in file order.
    labels
        int64 (n,) of each kind.
    where
        Files, for messages.
    """

    rgb: np.ndarray[Any, Any]
    labels: dict[str, np.ndarray[Any, Any]]
    where: str

    def pixels(self, labels: np.ndarray[Any, Any]) -> Pixels:
        """Return the pictures under these labels."""
        return Pixels(self.rgb, labels)


def read_splits(
    raw: Path, versions: Sequence[Version], parts: Sequence[str]
) -> tuple[dict[str, Split], dict[str, str]]:
    """Read splits from the first version that is there."""
    of = {
        Layout(v.archive, v.folder, tuple(n for p in parts for n in v.files[p])): v
        for v in versions
    }
    layout, files, where = read_layout(raw, list(of))
    version = of[layout]
    splits = {
        part: _join([_read(files[n], version, f"{where}, {n}") for n in names])
        for part in parts
        for names in (version.files[part],)
    }
    sources = {
        f"{version.folder}/{name}": hashlib.sha256(data).hexdigest()
        for name, data in files.items()
    }
    return splits, sources


def check_range(labels: np.ndarray[Any, Any], n: int, where: str) -> None:
    """Refuse labels outside 0 … n − 1."""
    wrong = np.flatnonzero((labels < 0) | (labels >= n))
    if len(wrong):
        raise MmclustError(
            "Labels are out of range",
            where=where,
            expected=f"0 to {n - 1}",
            found=f"{len(wrong):,} others, first {labels[wrong[0]]} "
            f"in record {wrong[0]:,}",
            do="fetch the source again",
        )


def check_records(size: int, record: int, where: str) -> int:
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


def _read(data: bytes, version: Version, where: str) -> Split:
    """Read one file of either version."""
    if version.binary:
        n_labels = len(version.labels)
        count = check_records(len(data), n_labels + PIXELS, where)
        records = np.frombuffer(data, np.uint8).reshape(count, n_labels + PIXELS)
        columns = records[:, :n_labels].astype(np.int64).T
        labels = dict(zip(version.labels, columns, strict=True))
        return Split(_rgb(records[:, n_labels:]), labels, where)
    batch = read_batch(data, where)
    labels = {
        kind: _label_list(batch, kind, len(batch["data"]), where)
        for kind in version.labels
    }
    return Split(_rgb(batch["data"]), labels, where)


def _rgb(planes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Turn (n, 3072), the red plane first, into (n, 32, 32, 3)."""
    return planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _label_list(
    batch: Mapping[str, Any], kind: str, n: int, where: str
) -> np.ndarray[Any, Any]:
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


def _join(parts: Sequence[Split]) -> Split:
    if len(parts) == 1:
        return parts[0]
    return Split(
        np.concatenate([part.rgb for part in parts]),
        {k: np.concatenate([p.labels[k] for p in parts]) for k in parts[0].labels},
        some(part.where for part in parts),
    )
