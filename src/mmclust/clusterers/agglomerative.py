"""Agglomerative clustering, Ward's linkage by default (Ward 1963).

Source: Ward, Hierarchical Grouping to Optimize an Objective Function, JASA 58 (1963).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mmclust.clusterers._linkage import agglomerate
from mmclust.core.params import Positive  # noqa: TC001

if TYPE_CHECKING:
    import numpy as np

DETERMINISTIC = True


@dataclass(frozen=True)
class Params:
    """What "nearest" means between clusters, and between rows.

    ``ward`` takes Euclidean distances; the others take ``metric``. With
    ``n_neighbors`` clusters merge along the neighbour graph only, which is needed
    above 30,000 rows.
    """

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
