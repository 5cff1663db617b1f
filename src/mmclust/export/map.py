"""A map: the scored images with their places in the plane, clusters and classes.

One parquet file for programs that show such tables (Embedding Atlas, FiftyOne), the
pictures beside it. Places and clusters come from whoever asks for the export.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.core.clusters import NOISE
from mmclust.core.errors import MmclustError
from mmclust.export.content import place, require_distinct, require_plain, write_images

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from mmclust.export.content import Content


@dataclass(frozen=True)
class Points:
    """n images in the plane, and what a clusterer says of them."""

    image_ids: list[str]
    xy: np.ndarray[Any, Any]  # (n, 2)
    clusters: np.ndarray[Any, Any]  # int (n,); NOISE for none, less where not asked
    confidence: np.ndarray[Any, Any] | None  # float32 (n,)


def export_map(content: Content, points: Points, out: Path) -> tuple[Path, bool]:
    """Write ``map/map.parquet`` and ``map/images/<id>.jpg``."""
    content.require_images()
    manifest = content.manifest
    row_of = {image_id: row for row, image_id in enumerate(manifest.image_ids)}
    if not row_of.keys() >= set(points.image_ids):
        raise MmclustError(
            "The clusters are of images that the benchmark does not have",
            where=manifest.folder,
            expected=f"images of {manifest.benchmark} as it was built",
            found="others",
            do="run `dvc repro`, which brings every file up to date",
        )
    rows = [row_of[image_id] for image_id in points.image_ids]
    part = replace(manifest, table=manifest.table.take(rows))
    require_plain(points.image_ids, manifest.folder)
    members = part.table["member"].to_pylist()
    images = [
        f"images/{image_id}{PurePosixPath(member).suffix}"
        for image_id, member in zip(points.image_ids, members, strict=True)
    ]
    require_distinct(images, manifest.folder)

    def fill(folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        write_images(part, folder, images)
        asked = points.clusters >= NOISE
        columns = {
            "id": pa.array(points.image_ids, pa.string()),
            "image": pa.array(images, pa.string()),
            "caption": pa.array(["\n".join(each) for each in part.captions]),
            "cluster": pa.array(points.clusters, pa.int32(), mask=~asked),
            "x": pa.array(points.xy[:, 0], pa.float32()),
            "y": pa.array(points.xy[:, 1], pa.float32()),
        }
        if points.confidence is not None:
            sure = pa.array(points.confidence, pa.float32(), mask=~asked)
            columns["confidence"] = sure
        if content.class_names:
            names = [content.names[row] or None for row in rows]
            columns["class"] = pa.array(names, pa.string())
        pq.write_table(pa.table(columns), folder / "map.parquet", compression="zstd")

    return out / "map", place(out / "map", fill)
