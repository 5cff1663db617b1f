"""Agglomerative clustering with what keeps its memory in bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.clusterers._graph import neighbour_graph
from mmclust.core.errors import MmclustError
from mmclust.kernels.kmeans import require_k

MOST_ROWS = 30_000
"""Rows whose distances are all held: 3.6 GB, and as much again while they merge."""


def agglomerate(
    features: np.ndarray[Any, Any],
    n_clusters: int,
    *,
    linkage: str,
    metric: str,
    n_neighbors: int | None,
) -> np.ndarray[Any, Any]:
    """Merge the two nearest clusters until k are left.

    Parameters
    ----------
    features
        float32 (n, d), rows at unit norm or zero; a zero row is at cosine
        distance 1 from all others.
    n_clusters
        k.
    linkage, metric
        As in scikit-learn.
    n_neighbors
        Merge only along the graph of this many neighbours, in memory that grows
        with n; ``None``: any two clusters, with n².

    Returns
    -------
    numpy.ndarray
        int32 (n,).

    Raises
    ------
    MmclustError
        When k cannot be, ward is asked for another metric than Euclidean, or
        there are more rows than :data:`MOST_ROWS` and no ``n_neighbors``.
    """
    require_k(n_clusters, len(features))
    if linkage == "ward" and metric != "euclidean":
        raise MmclustError(
            "Ward's linkage needs Euclidean distances",
            where="clusterers.agglomerative.metric",
            expected="euclidean, or another linkage",
            found=metric,
        )
    if n_neighbors is None and len(features) > MOST_ROWS:
        raise MmclustError(
            f"Too many rows to hold all {len(features):,}² distances",
            where="agglomerative clustering",
            expected=f"at most {MOST_ROWS:,} rows, or n_neighbors",
            found=f"{len(features):,} rows",
            do="set n_neighbors (10, say) among the clusterer's options: clusters "
            "then merge along the neighbour graph only, which is another method",
        )
    if len(features) == 1:
        return np.zeros(1, np.int32)
    from sklearn.cluster import AgglomerativeClustering

    graph = None if n_neighbors is None else neighbour_graph(features, n_neighbors)
    rows: Any = features
    if metric == "cosine" and graph is None:
        rows, metric = _cosine_distances(features), "precomputed"
    model = AgglomerativeClustering(
        n_clusters, linkage=linkage, metric=metric, connectivity=graph
    )
    return np.asarray(model.fit_predict(rows), np.int32)


def _cosine_distances(features: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    distances = np.clip(1 - features @ features.T, 0, 2)
    np.fill_diagonal(distances, 0)
    return np.asarray(np.maximum(distances, distances.T))
