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


def completed(params: Params, where: str, given: str) -> Params:
    """Refuse Ward's linkage of other distances than Euclidean ones."""
    if params.linkage == "ward" and params.metric != "euclidean":
        raise MmclustError(
            "Ward's linkage needs Euclidean distances",
            where=f"{where}.metric in {given}" if where else given,
            expected="euclidean, or another linkage",
            found=params.metric,
            do="correct metric or linkage",
        )
    return params


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> np.ndarray[Any, Any]:
    """Merge the two nearest clusters until k are left: int32 (n,).

    A zero row is at cosine distance 1 from all others. With ``n_neighbors`` clusters
    merge only along the graph of so many neighbours, in memory that grows with n,
    else any two, with n². Parts of a graph that no edge joins are joined where they
    are nearest.
    """
    del seed
    metric: str = params.metric
    if params.n_neighbors is None and len(features) > MOST_ROWS:
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

    rows, graph = features, None
    if params.n_neighbors is not None:
        graph = neighbour_graph(features, params.n_neighbors)
    elif metric == "cosine":
        distances = np.clip(1 - features @ features.T, 0, 2)
        np.fill_diagonal(distances, 0)
        rows, metric = np.maximum(distances, distances.T), "precomputed"
    model = AgglomerativeClustering(
        n_clusters, linkage=params.linkage, metric=metric, connectivity=graph
    )
    with warnings.catch_warnings():
        # A graph in parts is a result, not an accident.
        warnings.filterwarnings("ignore", message=".*connected components")
        return np.asarray(model.fit_predict(rows), np.int32)
