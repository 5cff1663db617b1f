"""DBSCAN: clusters are what is densely connected; the rest is noise (Ester 1996).

The defaults are those of the text-guided course protocol: eps 0.5, min_samples 10,
Euclidean distance. On rows at unit norm a distance of 0.5 is a cosine of 0.875.

Source: Ester et al., A Density-Based Algorithm for Discovering Clusters, KDD 1996.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001

DETERMINISTIC = True
FINDS_K = True

MOST_NEIGHBOURS = 1 << 29
"""Neighbours within eps that are held, in all: 4 GiB."""
_BLOCK = 2048


@dataclass(frozen=True)
class Params:
    """Radius, and rows within it (itself included) that make a row a core."""

    eps: PositiveFloat = 0.5
    """Radius of a neighbourhood: Euclidean distance of rows at unit norm."""
    min_samples: Positive = 10
    """Rows within it (itself included) that make a row a core."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> np.ndarray[Any, Any]:
    """Cluster float32 (n, d) into int32 (n,); -1 is noise; k is not used."""
    del seed, n_clusters
    from sklearn.cluster import DBSCAN

    if len(features) ** 2 > MOST_NEIGHBOURS:
        _refuse_dense(features, params.eps)
    model = DBSCAN(eps=params.eps, min_samples=params.min_samples)
    return np.asarray(model.fit_predict(features), np.int32)


def _refuse_dense(features: np.ndarray[Any, Any], eps: float) -> None:
    """Count neighbours block by block before scikit-learn lists them all."""
    squares = np.einsum("ij,ij->i", features, features)
    total = 0
    for start in range(0, len(features), _BLOCK):
        rows = slice(start, start + _BLOCK)
        apart = squares[rows, None] + squares - 2 * (features[rows] @ features.T)
        total += int(np.count_nonzero(apart <= eps**2))
        if total > MOST_NEIGHBOURS:
            raise MmclustError(
                "DBSCAN's radius holds more neighbours than fit into 4 GiB",
                where="clusterers.dbscan.eps",
                expected=f"at most {MOST_NEIGHBOURS // len(features):,} neighbours "
                "per row on average",
                found=f"{total:,} in the first {start + _BLOCK:,} rows at eps {eps}",
                do="lower eps; with so many neighbours all would be one cluster",
            )
