"""k-means by faiss, with everything that decides its numbers said out loud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError

INITS = {"random": "RANDOM", "k-means++": "KMEANS_PLUS_PLUS"}


@dataclass(frozen=True)
class KMeans:
    """The result of :func:`kmeans`.

    Parameters
    ----------
    labels
        int32 (n,): the nearest centroid of each row.
    centroids
        float32 (k, d).
    inertia
        Sum of squared Euclidean distances of the rows to their centroids.
    """

    labels: np.ndarray[Any, Any]
    centroids: np.ndarray[Any, Any]
    inertia: float


def kmeans(
    features: np.ndarray[Any, Any],
    n_clusters: int,
    *,
    seed: int,
    n_init: int = 10,
    max_iter: int = 300,
    spherical: bool = False,
    init: str = "k-means++",
) -> KMeans:
    """Cluster rows by Lloyd's algorithm, keeping the best of several starts.

    All rows are used (faiss would sample 256 per centroid), iterations stop when
    the objective no longer improves, and one thread does the sums, so that the
    result depends on the arguments alone.

    Parameters
    ----------
    features
        float32 (n, d).
    n_clusters
        k, at most n.
    seed
        Any non-negative integer; folded to the 31 bits that faiss takes.
    n_init
        Starts; the one with the best objective is kept.
    max_iter
        Iterations of each start, at most.
    spherical
        Scale centroids to unit norm and assign by inner product; for rows of
        unit norm.
    init
        ``k-means++`` or ``random`` (rows drawn at random).

    Returns
    -------
    KMeans
        Every cluster has a row unless there are fewer than k distinct rows
        (faiss splits the largest where one runs empty).

    Raises
    ------
    MmclustError
        When k is larger than n or ``init`` is unknown.
    """
    import faiss

    require_k(n_clusters, len(features))
    if init not in INITS:
        raise MmclustError(
            "Unknown k-means initialisation", expected=" or ".join(INITS), found=init
        )
    rows = np.ascontiguousarray(features, dtype=np.float32)
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        solver = faiss.Kmeans(
            rows.shape[1],
            n_clusters,
            niter=max_iter,
            nredo=n_init,
            spherical=spherical,
            seed=seed % (2**31 - 1),
            min_points_per_centroid=1,
            max_points_per_centroid=len(rows),
            init_method=getattr(faiss, f"ClusteringInitMethod_{INITS[init]}"),
        )
        solver.train(rows)
        _, labels = solver.index.search(rows, 1)
    finally:
        faiss.omp_set_num_threads(threads)
    labels = labels[:, 0].astype(np.int32)
    centroids = np.asarray(solver.centroids)
    residual = rows - centroids[labels]
    inertia = float(np.einsum("ij,ij->", residual, residual, dtype=np.float64))
    return KMeans(labels, centroids, inertia)


def require_k(n_clusters: int, n_samples: int) -> None:
    """Refuse a number of clusters that cannot be.

    Raises
    ------
    MmclustError
        When k is below 1 or above the number of rows.
    """
    if not 1 <= n_clusters <= n_samples:
        raise MmclustError(
            f"Cannot make {n_clusters} clusters of {n_samples} images",
            where="k (model.k in params.yaml)",
            expected=f"between 1 and {n_samples}",
            found=n_clusters,
            do="choose a smaller k, or build the benchmark with more images",
        )
