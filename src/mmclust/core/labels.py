"""Labels: ground truth, in ``labels.parquet`` alone, so that it shows who reads it.

Scoring reads labels; whatever fits, selects or stops does not. A test goes through
the imports of this module and the deps of every stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.io import read_table, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

HIDDEN = -1
"""The label of an image whose class is not given out."""
ASIDE = "hidden.parquet"
"""Holds the classes that are not given out; read only when asked to reveal them."""


@dataclass(frozen=True)
class Labels:
    """Classes of n images: int32 (n,), :data:`HIDDEN` where they are not given out."""

    image_ids: list[str]
    labels: np.ndarray[Any, Any]
    names: list[str]


def write_labels(
    path: Path, names: Mapping[str, str], hidden: Mapping[str, str] | None = None
) -> list[str]:
    """Write labels sorted by image id; label ids follow the sorted class names.

    Classes that are not given out go to ``hidden.parquet`` beside the file, if there
    are any; in the file itself they are :data:`HIDDEN`.
    """
    hidden = hidden or {}
    classes = sorted({*names.values(), *hidden.values()})
    position = {"": HIDDEN} | {name: i for i, name in enumerate(classes)}
    if hidden:
        write_table(path.with_name(ASIDE), _table(hidden, position), {})
    write_table(path, _table(dict.fromkeys(hidden, "") | dict(names), position), {})
    return classes


def _table(names: Mapping[str, str], position: Mapping[str, int]) -> pa.Table:
    import pyarrow as pa

    ids = sorted(names)
    columns = {
        "image_id": pa.array(ids, pa.string()),
        "label": pa.array([position[names[i]] for i in ids], pa.int32()),
        "label_name": pa.array([names[i] for i in ids], pa.string()),
    }
    return pa.table(columns)


def read_labels(path: Path, *, reveal: bool = False) -> Labels:
    """Read a labels file."""
    table, _ = read_table(path, must=("image_id", "label", "label_name"))
    ids = table["image_id"].to_pylist()
    labels, names = table["label"].to_numpy(), table["label_name"].to_pylist()
    if reveal and path.with_name(ASIDE).is_file():
        secret = read_labels(path.with_name(ASIDE))
        known = dict(zip(secret.image_ids, secret.labels, strict=True))
        called = dict(zip(secret.image_ids, secret.names, strict=True))
        labels = np.array(
            [known.get(i, v) for i, v in zip(ids, labels, strict=True)], dtype=np.int32
        )
        names = [called.get(i, n) for i, n in zip(ids, names, strict=True)]
    return Labels(ids, labels, names)
