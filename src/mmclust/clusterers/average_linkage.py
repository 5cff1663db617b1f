"""Agglomerative clustering by mean cosine distance (UPGMA, Sokal & Michener 1958).

A file of its own, so that one run can hold it beside Ward's linkage.

Source: Sokal and Michener, A Statistical Method for Evaluating Systematic
Relationships, 1958.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mmclust.clusterers.agglomerative import agglomerate
from mmclust.core.params import Positive  # noqa: TC001

if TYPE_CHECKING:
    import numpy as np

DETERMINISTIC = True


@dataclass(frozen=True)
class Params:
    """See :class:`mmclust.clusterers.agglomerative.Params`."""

    metric: Literal["euclidean", "cosine"] = "cosine"
    """What "nearest" means between rows."""
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
        linkage="average",
        metric=params.metric,
        n_neighbors=params.n_neighbors,
    )
