"""k-means on both views side by side, as TAC's training-free variant has it.

Image and text rows at unit norm are joined and not scaled again (norm √2); spherical
faiss k-means, 300 iterations, best of 20 random starts, trained on at most 256 rows per
cluster. `kmeans` on the view `concat` scales again, takes all rows and starts by
k-means++.

Source: TAC, Image Clustering with External Guidance (ICML 2024), released code.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.kmeans import kmeans

DETERMINISTIC = False
VIEWS = "both"


@dataclass(frozen=True)
class Params:
    """See :func:`mmclust.kernels.kmeans.kmeans`; the defaults are the release's."""

    n_init: Positive = 20
    """Starts of k-means; the one with the best objective is kept."""
    max_iter: Positive = 300
    """Iterations of each start, at most."""
    init: Literal["k-means++", "random"] = "random"
    """``random`` rows, or ``k-means++``."""
    max_points_per_centroid: Positive | None = 256
    """Rows per cluster that centroids are made of, at most; ``None``: all rows."""


def fit_predict(
    features: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
    n_clusters: int,
    params: Params,
    *,
    seed: int,
) -> np.ndarray[Any, Any]:
    """Cluster a pair of float32 (n, d_view), rows at unit norm, into int32 (n,)."""
    rows = np.hstack(features)
    return kmeans(rows, n_clusters, seed=seed, spherical=True, **asdict(params)).labels
