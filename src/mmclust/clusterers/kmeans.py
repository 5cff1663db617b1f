"""k-means, spherical by default: the baseline of every clustering paper.

Papers mean different things by it, several points of ACC apart. Three that are often
cited, as options (docs/clusterers.md has them as a block of params):

- TAC, GradNorm: unit norm, spherical, 300 iterations, 20 random starts, at most 256
  rows per cluster, fitted on the images that are scored;
- TEMI: as encoders give them, Euclidean, 2 starts, fitted on the train split;
- TURTLE: likewise, two views at unit norm each side by side, 10 starts, 1,000
  iterations, fitted on the train split.

Source: Lloyd, Least Squares Quantization in PCM, IEEE TIT 28 (1982); Dhillon and
Modha, Concept Decompositions, Machine Learning 42 (2001), for the spherical one;
Arthur and Vassilvitskii, k-means++, SODA 2007, for the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.kernels.kmeans import kmeans
from mmclust.kernels.nearest_centroids import nearest_centroids

Array = np.ndarray[Any, Any]

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
    init: Literal["k-means++", "random"] = "k-means++"
    """``k-means++``, or ``random`` rows."""
    max_points_per_centroid: Positive | None = None
    """Rows per cluster that centroids are made of, at most; ``None``: all rows."""
    rows: Literal["unit", "raw", "raw_if_single"] = "unit"
    """At unit norm; ``raw``, as encoders give them; or ``raw_if_single``: of two views
    side by side each at unit norm."""
    fit_on: Literal["evaluate", "fit"] = "evaluate"
    """Whether centroids are fitted on the images that are scored, or on those of the
    splits to fit on, which are the same where a benchmark has no split."""


def completed(params: Params, where: str, given: str) -> Params:
    """Refuse spherical k-means of rows that are not at unit norm."""
    if params.spherical and params.rows != "unit":
        raise MmclustError(
            "Spherical k-means wants rows at unit norm",
            where=f"{where}.rows in {given}" if where else given,
            expected="rows: unit, or spherical: false",
            found=f"rows: {params.rows}, spherical: true",
            do="set spherical: false",
        )
    return params


def fit_predict(
    features: Array,
    n_clusters: int,
    params: Params,
    *,
    seed: int,
    fit: Array | None = None,
) -> Array:
    """Cluster float32 (n, d) into int32 (n,); centroids are of ``fit``, if given."""
    found = kmeans(
        features if fit is None else fit,
        n_clusters,
        seed=seed,
        n_init=params.n_init,
        max_iter=params.max_iter,
        spherical=params.spherical,
        init=params.init,
        max_points_per_centroid=params.max_points_per_centroid,
    )
    if fit is None:
        return found.labels
    return nearest_centroids(features, found.centroids, spherical=params.spherical)
