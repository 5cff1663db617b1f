"""Objects: what is where in the images, in ``objects.parquet``. Ground truth.

Scoring reads it, as it reads labels; whatever fits, selects or stops does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_table
from mmclust.core.types import Objects

if TYPE_CHECKING:
    from pathlib import Path

CORNERS = ("x0", "y0", "x1", "y1")


def write_objects(path: Path, objects: Objects) -> None:
    """Write objects."""
    import pyarrow as pa

    boxes = np.asarray(objects.boxes, np.int32).reshape(-1, 4)
    columns = {
        "image_id": pa.array(objects.image_ids, pa.string()),
        "category": pa.array(objects.names, pa.string()),
        **{name: pa.array(boxes[:, at]) for at, name in enumerate(CORNERS)},
        "iscrowd": pa.array(np.asarray(objects.crowd, bool)),
        "segmentation": pa.array(objects.masks, pa.string()),
    }
    meta = {"categories": list(objects.categories)}
    write_table(path, pa.table(columns), meta)


def read_objects(path: Path) -> Objects:
    """Read objects back; without a file there are none, which is refused."""
    must = ("image_id", "category", *CORNERS, "iscrowd", "segmentation")
    table, meta = None, dict[str, Any]()
    if path.is_file():
        table, meta = read_table(path, must=must, do="build the benchmark again")
    if table is None or not meta.get("categories"):
        raise MmclustError(
            "The benchmark does not say what is where in its images",
            where=path,
            expected="a benchmark with boxes, such as coco_words",
            found=f"{table.num_rows if table else 0:,} objects of no categories",
            do="name another one in grounding.benchmarks",
        )
    return Objects(
        tuple(meta["categories"]),
        table["image_id"].to_pylist(),
        table["category"].to_pylist(),
        np.stack([table[name].to_numpy() for name in CORNERS], axis=1),
        table["iscrowd"].to_numpy(),
        table["segmentation"].to_pylist(),
    )
