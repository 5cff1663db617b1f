"""Spectral clustering on the graph of nearest neighbours.

The leading eigenvectors of the normalised affinity, rows scaled to unit norm, then
k-means. The affinity is the symmetrised graph of 10 neighbours, as in scikit-learn, so
that time and memory grow with n rather than n².

Source: Ng, Jordan and Weiss, On Spectral Clustering, NIPS 2001.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.clusterers._graph import (
    components,
    leading,
    neighbour_graph,
    normalised_affinity,
)
from mmclust.core.features import normalised
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.kmeans import kmeans

DETERMINISTIC = False


@dataclass(frozen=True)
class Params:
    """Neighbours of each row in the graph; starts of the k-means at the end."""

    n_neighbors: Positive = 10
    """Neighbours of each row in the graph."""
    n_init: Positive = 10
    """Starts of the k-means at the end."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> np.ndarray[Any, Any]:
    """Cluster float32 (n, d), rows at unit norm, into int32 (n,)."""
    if n_clusters in (1, len(features)):
        return np.arange(len(features), dtype=np.int32) % n_clusters
    graph = neighbour_graph(features, params.n_neighbors)
    vectors = leading(
        normalised_affinity(graph), n_clusters, seed=seed, known=components(graph)
    )
    rows = normalised(vectors)
    return kmeans(rows, n_clusters, seed=seed, n_init=params.n_init).labels
