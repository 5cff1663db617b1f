"""HDBSCAN: DBSCAN at every radius, keeping the clusters that last.

scikit-learn's implementation and defaults. Confidence is the strength of membership.

Source: Campello, Moulavi and Sander, Density-Based Clustering Based on Hierarchical
Density Estimates, PAKDD 2013.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from mmclust.clusterers._graph import require_comparable
from mmclust.core.params import Positive  # noqa: TC001

DETERMINISTIC = True
FINDS_K = True

_COST = 128
"""Of a pair of rows in its trees, beside a product of matrices: measured, rounded."""


@dataclass(frozen=True)
class Params:
    """Smallest cluster; rows that make a neighbourhood (``None``: as many)."""

    min_cluster_size: Annotated[int, msgspec.Meta(ge=2)] = 5
    """Rows of the smallest cluster."""
    min_samples: Positive | None = None
    """Rows that make a neighbourhood; ``None``: as many."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Cluster float32 (n, d) into int32 (n,), and how sure; -1 is noise."""
    del seed, n_clusters
    from sklearn.cluster import HDBSCAN

    n = len(features)
    require_comparable(features, "HDBSCAN", cost=_COST)
    if max(params.min_cluster_size, params.min_samples or 0) > n:
        return np.full(n, -1, np.int32), np.zeros(n, np.float32)
    model = HDBSCAN(
        min_cluster_size=params.min_cluster_size,
        min_samples=params.min_samples,
        algorithm="kd_tree",  # "brute" holds n² distances
        n_jobs=1,
        copy=True,
    ).fit(features)
    return model.labels_.astype(np.int32), model.probabilities_.astype(np.float32)
