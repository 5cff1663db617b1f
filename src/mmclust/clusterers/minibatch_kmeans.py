"""k-means on mini-batches, for features that memory does not hold (Sculley 2010).

Features are read a batch at a time, where they lie. Batches are larger than the
paper's, and of runs of rows from all over the file, since it is read in pieces; each
start is tried on one batch, by k-means.

Source: Sculley, Web-Scale k-Means Clustering, WWW 2010.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.numerics import threads
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.minibatch import minibatch_centroids, streamed_labels

if TYPE_CHECKING:
    import numpy as np

DETERMINISTIC = False


@dataclass(frozen=True)
class Params:
    """See :func:`mmclust.kernels.minibatch.minibatch_centroids`."""

    batch_rows: Positive = 65_536
    """Rows per batch; a batch is all that is held in memory."""
    max_iter: Positive = 10
    """Passes over the rows, at most; it ends where one improves little."""
    n_init: Positive = 3
    """Starts of the k-means on the first batch."""
    spherical: bool = True
    """Whether centroids are scaled to unit norm, and rows go by inner product."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> np.ndarray[Any, Any]:
    """Cluster float32 (n, d), rows at unit norm, most often mapped, into int32 (n,)."""
    with threads(1):
        centroids = minibatch_centroids(
            features,
            n_clusters,
            seed=seed,
            batch=params.batch_rows,
            passes=params.max_iter,
            n_init=params.n_init,
            spherical=params.spherical,
        )
        return streamed_labels(features, centroids, spherical=params.spherical)
