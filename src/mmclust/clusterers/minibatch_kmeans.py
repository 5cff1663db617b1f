"""k-means on small batches (Sculley, WWW 2010); scikit-learn's defaults.

Source: Sculley, Web-Scale k-Means Clustering, WWW 2010.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.kmeans import require_k
from mmclust.kernels.nearest_centroids import nearest_centroids

if TYPE_CHECKING:
    import numpy as np

DETERMINISTIC = False


@dataclass(frozen=True)
class Params:
    """Rows per batch; passes over the rows, at most; starts."""

    batch_rows: Positive = 1024
    """Rows per batch."""
    max_iter: Positive = 100
    """Passes over the rows, at most."""
    n_init: Positive = 3
    """Starts."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> np.ndarray[Any, Any]:
    """Cluster float32 (n, d), rows at unit norm, into int32 (n,)."""
    import warnings

    from sklearn.cluster import MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    require_k(n_clusters, len(features))
    model = MiniBatchKMeans(
        n_clusters,
        batch_size=params.batch_rows,
        max_iter=params.max_iter,
        n_init=params.n_init,
        random_state=seed % 2**32,
    )
    with warnings.catch_warnings():
        # Fewer distinct rows than k is a result, not an accident.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(features)
    return nearest_centroids(features, model.cluster_centers_)
