"""Multi-view spectral clustering by pairwise co-regularisation.

Each view's eigenvectors are drawn towards the other's, in turns, by adding λ U Uᵀ of
the other view to its normalised affinity; the rows of all eigenvectors side by side are
scaled to unit norm and clustered by k-means. The paper's affinities are dense Gaussian
kernels; here they are graphs of nearest neighbours, and U Uᵀ is never multiplied out,
so that memory grows with n.

Source: Kumar, Rai and Daumé III, Co-regularized Multi-view Spectral Clustering,
NIPS 2011.
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
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.core.seeds import derive
from mmclust.kernels.kmeans import kmeans

DETERMINISTIC = False
VIEWS = "both"


@dataclass(frozen=True)
class Params:
    """How the views are drawn together, and clustered."""

    weight: PositiveFloat = 0.01
    """The paper's λ, which it finds good from 0.01 to 0.05."""
    n_rounds: Positive = 5
    """How often each view is drawn towards the other."""
    n_neighbors: Positive = 10
    """Neighbours of each row in the graphs."""
    n_init: Positive = 10
    """Starts of the k-means at the end."""


def fit_predict(
    features: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
    n_clusters: int,
    params: Params,
    *,
    seed: int,
) -> np.ndarray[Any, Any]:
    """Cluster a pair of float32 (n, d_view), rows at unit norm, into int32 (n,)."""
    n = len(features[0])
    if n_clusters in (1, n):
        return np.arange(n, dtype=np.int32) % n_clusters
    graphs = [neighbour_graph(rows, params.n_neighbors) for rows in features]
    affinities = [normalised_affinity(graph) for graph in graphs]
    bases = [
        leading(affinity, n_clusters, seed=derive(seed, view), known=components(graph))
        for view, (affinity, graph) in enumerate(zip(affinities, graphs, strict=True))
    ]
    for _ in range(params.n_rounds):
        for view, affinity in enumerate(affinities):
            bases[view] = leading(
                affinity,
                n_clusters,
                seed=derive(seed, view),
                bases=[bases[1 - view]],
                weight=params.weight,
            )
    rows = normalised(np.hstack(bases))
    return kmeans(rows, n_clusters, seed=seed, n_init=params.n_init).labels
