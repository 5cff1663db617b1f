"""Labels: ground truth, in a file of its own, so that it shows who reads it.

Scoring reads labels; whatever fits, selects or stops does not. A test goes through
the imports of this module and the deps of every stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

HIDDEN = -1
"""The label of an image whose class is not given out."""


@dataclass(frozen=True)
class Labels:
    """Ground truth, read by scoring code alone.

    Parameters
    ----------
    image_ids
        n ids.
    labels
        int32 (n,); :data:`HIDDEN` where the class is not given out.
    names
        The class name of each image, n strings.
    """

    image_ids: list[str]
    labels: np.ndarray[Any, Any]
    names: list[str]


def write_labels(path: Path, names: Mapping[str, str]) -> list[str]:
    """Write labels sorted by image id; label ids follow the sorted class names.

    Parameters
    ----------
    path
        Usually ``…/labels.parquet``.
    names
        Class name of each image id.

    Returns
    -------
    list of str
        The class names; a class's position is its label.
    """
    import pyarrow as pa

    classes = sorted(set(names.values()))
    position = {name: i for i, name in enumerate(classes)}
    ids = sorted(names)
    table = pa.table(
        {
            "image_id": pa.array(ids, pa.string()),
            "label": pa.array([position[names[i]] for i in ids], pa.int32()),
            "label_name": pa.array([names[i] for i in ids], pa.string()),
        }
    )
    write_table(path, table, {})
    return classes


def read_labels(path: Path) -> Labels:
    """Read a labels file.

    Raises
    ------
    MmclustError
        When the file is missing or lacks a column.
    """
    table, _ = read_table(path)
    missing = {"image_id", "label", "label_name"} - set(table.column_names)
    if missing:
        raise MmclustError(
            f"{path.name} lacks a column",
            where=path,
            expected="image_id, label, label_name",
            found=", ".join(table.column_names),
        )
    return Labels(
        table["image_id"].to_pylist(),
        table["label"].to_numpy(),
        table["label_name"].to_pylist(),
    )
