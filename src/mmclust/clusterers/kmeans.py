"""k-means, spherical by default: the baseline of every clustering paper.

Source: Lloyd, Least Squares Quantization in PCM, IEEE TIT 28 (1982); Dhillon and
Modha, Concept Decompositions, Machine Learning 42 (2001), for the spherical one;
Arthur and Vassilvitskii, k-means++, SODA 2007, for the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.kmeans import kmeans

if TYPE_CHECKING:
    import numpy as np

DETERMINISTIC = False


@dataclass(frozen=True)
class Params:
    """See :func:`mmclust.kernels.kmeans.kmeans`."""

    n_init: Positive = 10
    """Starts of k-means; the one with the best objective is kept."""
    max_iter: Positive = 300
    """Iterations of each start, at most."""
    spherical: bool = True
    """Whether centroids are scaled to unit norm, and rows go by inner product."""
    init: str = "k-means++"
    """``k-means++``, or ``random`` rows."""


def fit_predict(
    features: np.ndarray[Any, Any], n_clusters: int, params: Params, *, seed: int
) -> np.ndarray[Any, Any]:
    """Cluster float32 (n, d), rows at unit norm, into int32 (n,)."""
    return kmeans(
        features,
        n_clusters,
        seed=seed,
        n_init=params.n_init,
        max_iter=params.max_iter,
        spherical=params.spherical,
        init=params.init,
    ).labels
