"""Clusters that were made before, for new pictures: each goes to the nearest mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.features import Features, normalised, read_features
from mmclust.core.io import read_record, read_table
from mmclust.core.manifest import Manifest, read_manifest
from mmclust.heads._files import encode_pictures
from mmclust.heads._inputs import encoder_facts
from mmclust.kernels.nearest_centroids import nearest_centroids
from mmclust.scoring.names import centres_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]

NAMES = 3
"""Words that a cluster is called by."""


@dataclass(frozen=True)
class Made:
    """Clusters on disk: whose features, of which method, under which names."""

    features: Features
    folder: Path
    manifest: Manifest
    rows: Array
    labels: Array
    names: dict[int, list[str]]
    again: str
    """What makes them anew."""


def nearest_clusters(
    pictures: Sequence[Path], clusters: Path, features: Sequence[Path], *, device: str
) -> tuple[Array, Array, list[list[str]]]:
    """Return the cluster of each picture, its cosine with the mean, and all names."""
    made = _made(clusters)
    image = normalised(np.asarray(made.features.views["image"])[made.rows])
    known, centres = centres_of(image, made.labels)
    if not len(known):
        raise MmclustError(
            "There is no cluster: all pictures are noise",
            where=clusters,
            expected="clusters to which a picture can belong",
            found=f"{len(made.labels):,} pictures in none",
            do="cluster by another method or options",
        )
    if features:
        from mmclust.heads._rows import read_rows

        rows = read_rows(features[0])
    else:
        facts = encoder_facts(made.features, made.folder, clusters.parent)
        facts |= {"benchmark": made.manifest.benchmark, "head": clusters.name}
        facts |= {"again": made.again}
        rows = normalised(encode_pictures(pictures, clusters.parent, facts, device))
    if rows.shape[1] != centres.shape[1]:
        raise MmclustError(
            "Features are not of the clusters' encoder",
            where=clusters,
            expected=f"{centres.shape[1]} numbers in each row",
            found=rows.shape[1],
            do=f"encode by {made.features.meta['encoder']}",
        )
    place = nearest_centroids(rows, centres, spherical=True)
    labels = known[place]
    near = np.einsum("ij,ij->i", rows, centres[place])
    names = [made.names.get(i, []) for i in range(int(known.max()) + 1)]
    return labels, near, names


def cluster_names(path: Path) -> dict[str, tuple[int, str]]:
    """Return number and name of each image's cluster; noise is left out."""
    made = _made(path)
    ids = made.manifest.image_ids
    found = {}
    for row, label in zip(made.rows.tolist(), made.labels.tolist(), strict=True):
        if label >= 0:
            words = [f"c{label}", *made.names.get(label, [])[:1]]
            found[ids[row]] = label, "-".join(words)
    return found


def _made(path: Path) -> Made:
    """Find what belongs to a file of clusters."""
    record = path.parent / "run/folder.json"
    again = "run `mmclust folder` on the pictures again"
    if path.suffix == ".csv":
        facts = read_record(
            record,
            {"benchmark": str, "encoder": str, "image": str},
            do="give the clusters.csv that `mmclust folder` wrote, where it wrote it",
        )
        root, key = record.parent, (facts["method"], facts["view"])
        benchmark, encoder = facts["benchmark"], facts["encoder"]
        folder = root / "data/parts" / f"image-{facts['image']}"
        if not folder.is_dir():
            folder = root / "data/features" / benchmark / encoder
        clusters = root / "data/clusters" / benchmark
        if facts["head"]:
            clusters /= "heads"
            encoder = facts["method"]
        path = clusters / f"{encoder}.parquet"
    else:
        benchmark, encoder = path.parent.name, path.stem
        again = f"make them again: mmclust cluster {benchmark} {encoder}"
        root = path.absolute().parents[3]
        folder = root / "data/features" / benchmark / encoder
        key = ("", "")
    manifest = read_manifest(root / "data/benchmarks" / benchmark / "manifest.parquet")
    features = read_features(folder, manifest)
    found, ids, _ = read_clusters(path)
    chosen = [one for one in found if key in ((one.clusterer, one.view), ("", ""))]
    of_images = [one for one in chosen if one.view == "image"]
    one = (of_images if key == ("", "") and of_images else chosen)[0]
    place = {image_id: row for row, image_id in enumerate(manifest.image_ids)}
    rows = np.array([place[image_id] for image_id in ids], np.int64)
    kept = ~np.isin(rows, features.skipped)
    named = path.parent / "names" / path.name
    told = read_table(named)[0].to_pylist() if named.is_file() else []
    names = {
        row["cluster"]: (row["nouns"] or row["keywords"])[:NAMES]
        for row in told
        if (row["clusterer"], row["view"], row["k"]) == (one.clusterer, one.view, one.k)
    }
    return Made(
        features, folder, manifest, rows[kept], one.labels[0][kept], names, again
    )
