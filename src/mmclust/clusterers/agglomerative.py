"""Agglomerative clustering, Ward's linkage by default (Ward 1963).

Source: Ward, Hierarchical Grouping to Optimize an Objective Function, JASA 58 (1963).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mmclust.clusterers._graph import neighbour_graph
from mmclust.core.errors import MmclustError
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.kmeans import require_k

DETERMINISTIC = True

MOST_ROWS = 30_000
"""Rows whose distances are all held: 3.6 GB, and as much again while they merge."""


@dataclass(frozen=True)
class Params:
    """What "nearest" means between clusters, and between rows."""

    linkage: Literal["ward", "average", "complete", "single"] = "ward"
    """What "nearest" means between clusters; ``ward`` takes Euclidean distances."""
    metric: Literal["euclidean", "cosine"] = "euclidean"
    """What it means between rows, for the other linkages."""
    n_neighbors: Positive | None = None
    """Merge along the graph of so many neighbours only, which is needed above
    30,000 rows; ``None``: all pairs."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> np.ndarray[Any, Any]:
    """Cluster float32 (n, d), rows at unit norm, into int32 (n,)."""
    del seed
    return agglomerate(
        features,
        n_clusters,
        linkage=params.linkage,
        metric=params.metric,
        n_neighbors=params.n_neighbors,
    )


def agglomerate(
    features: np.ndarray[Any, Any],
    n_clusters: int,
    *,
    linkage: str,
    metric: str,
    n_neighbors: int | None,
) -> np.ndarray[Any, Any]:
    """Merge the two nearest clusters until k are left: int32 (n,).

    A zero row is at cosine distance 1 from all others. With ``n_neighbors`` clusters
    merge only along the graph of so many neighbours, in memory that grows with n,
    else any two, with n². Parts of a graph that no edge joins are joined where they
    are nearest.
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
            do="take ward_graph, or set n_neighbors among the clusterer's options: "
            "clusters then merge along the neighbour graph only, another method",
        )
    if len(features) == 1:
        return np.zeros(1, np.int32)
    import warnings

    from sklearn.cluster import AgglomerativeClustering

    graph = None if n_neighbors is None else neighbour_graph(features, n_neighbors)
    rows: Any = features
    if metric == "cosine" and graph is None:
        rows, metric = _cosine_distances(features), "precomputed"
    model = AgglomerativeClustering(
        n_clusters, linkage=linkage, metric=metric, connectivity=graph
    )
    with warnings.catch_warnings():
        # A graph in parts is a result, not an accident.
        warnings.filterwarnings("ignore", message=".*connected components")
        return np.asarray(model.fit_predict(rows), np.int32)


def _cosine_distances(features: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    distances = np.clip(1 - features @ features.T, 0, 2)
    np.fill_diagonal(distances, 0)
    return np.asarray(np.maximum(distances, distances.T))
