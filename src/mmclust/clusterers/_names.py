"""Names for the clusters of the main method: caption keywords, and nouns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.features import require_nouns
from mmclust.core.io import read_record, write_table
from mmclust.scoring.names import centres_of, keywords, nearest_nouns, read_nouns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from mmclust.core.clusters import Clustering
    from mmclust.core.features import Features
    from mmclust.core.manifest import Manifest

Nouns = tuple[list[str], "np.ndarray[Any, Any]"]


def main_method(clusterings: Sequence[Clustering]) -> list[Clustering]:
    """Return the first clusterer on the widest view, at the main k and the sweep's."""
    first = [c for c in clusterings if c.clusterer == clusterings[0].clusterer]
    view = next((c.view for c in first if c.view == "concat"), first[0].view)
    return [c for c in first if c.view == view]


def nouns_for(folder: Path, features: Features, manifest: Manifest) -> Nouns | None:
    """Return the nouns in the space of some features; None where there are none."""
    if not (folder / "nouns.json").is_file():
        return None
    record = read_record(folder / "nouns.json", {"manifest": str, "encoder": str})
    if record["encoder"] != features.meta["encoder"]:
        return None
    require_nouns(folder, features, manifest)
    return read_nouns(folder)


def write_names(
    path: Path,
    clusterings: Sequence[Clustering],
    captions: Sequence[Sequence[str]],
    image: np.ndarray[Any, Any] | None,
    nouns: Nouns | None,
    meta: Mapping[str, Any],
) -> None:
    """Describe the first run of each clustering of the main method."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    for method in main_method(clusterings):
        labels = method.labels[0]
        near: dict[int, list[tuple[str, float]]] = {}
        if nouns is not None and image is not None:
            clusters, centres = centres_of(image, labels)
            found = nearest_nouns(centres, nouns[1], nouns[0])
            near = dict(zip(clusters.tolist(), found, strict=True))
        for named in keywords(captions, labels):
            best = near.get(named.cluster, [])
            rows.append(
                {
                    "clusterer": method.clusterer,
                    "view": method.view,
                    "k": method.k,
                    "cluster": named.cluster,
                    "size": named.size,
                    "keywords": named.words,
                    "weights": named.weights,
                    "nouns": [word for word, _ in best],
                    "cosines": [cosine for _, cosine in best],
                }
            )
    schema = pa.schema(
        {
            "clusterer": pa.string(),
            "view": pa.string(),
            "k": pa.int32(),
            "cluster": pa.int32(),
            "size": pa.int32(),
            "keywords": pa.list_(pa.string()),
            "weights": pa.list_(pa.float64()),
            "nouns": pa.list_(pa.string()),
            "cosines": pa.list_(pa.float64()),
        }
    )
    write_table(path, pa.Table.from_pylist(rows, schema=schema), meta)
