"""k-means as faiss does it, with everything that decides its numbers said out loud.

On a CPU faiss draws the sample, the starts and what an empty cluster takes; the
iterations between are products of matrices, which cost a third of its own search for
the nearest centroid. Centroids are those of ``faiss.Kmeans`` up to rounding.

Shapes: n rows; k centroids; d features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.numerics import threads
from mmclust.kernels.lloyd import Lloyd, unit
from mmclust.kernels.nearest_centroids import ROWS, nearest_centroids

Array = np.ndarray[Any, Any]

INITS = ("random", "k-means++")
STRIDE = 15_486_557
"""Between the seeds of faiss's starts."""


@dataclass(frozen=True)
class KMeans:
    """The result of :func:`kmeans`.

    Parameters
    ----------
    labels
        int32 (n,): the nearest centroid of each row, the lowest of equals.
    centroids
        float32 (k, d).
    inertia
        Sum of squared Euclidean distances of the rows to their centroids.
    """

    labels: Array
    centroids: Array
    inertia: float


def kmeans(
    features: Array,
    n_clusters: int,
    *,
    seed: int,
    n_init: int = 10,
    max_iter: int = 300,
    spherical: bool = False,
    init: str = "k-means++",
    max_points_per_centroid: int | None = None,
    tol: float = 0.0,
    device: str = "cpu",
) -> KMeans:
    """Cluster rows by Lloyd's algorithm, keeping the best of several starts.

    Iterations stop when the objective no longer improves, and one thread does the
    sums, so that the result depends on the arguments alone. On a CPU the random
    numbers and rules are faiss's, so that a seed gives what ``faiss.Kmeans`` gives
    but for rounding; on anything else torch does the work: another stream of random
    numbers, the same objective.

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
    max_points_per_centroid
        Train on a random sample of at most this many rows per cluster (faiss by
        itself takes 256); ``None``: on all rows. All rows are assigned either way.
    tol
        Stop when an iteration improves the objective by no more than this share.
    device
        ``cpu``, or where torch runs, such as ``cuda``.

    Returns
    -------
    KMeans
        A cluster that runs empty while training is filled again: by faiss with
        half of a large one (drawn by size), by torch with the row that its centroid
        fits worst. One can end empty only where there are fewer than k distinct
        rows, or where training saw a sample.

    Raises
    ------
    MmclustError
        When k is larger than n or ``init`` is unknown.
    """
    require_k(n_clusters, len(features))
    if init not in INITS:
        raise MmclustError(
            "Unknown k-means initialisation", expected=" or ".join(INITS), found=init
        )
    rows = np.ascontiguousarray(features, dtype=np.float32)
    options = Options(
        n_init, max_iter, spherical, init, max_points_per_centroid or len(rows), tol
    )
    if device == "cpu":
        with threads(1):
            centroids = _lloyd(rows, n_clusters, seed % (2**31 - 1), options)
            labels = nearest_centroids(rows, centroids, spherical=spherical)
    else:
        from mmclust.kernels.kmeans_torch import lloyd

        centroids = lloyd(rows, n_clusters, seed, options, device)
        labels = nearest_centroids(rows, centroids, spherical=spherical, device=device)
    return KMeans(labels, centroids, _inertia(rows, labels, centroids))


@dataclass(frozen=True)
class Options:
    """What :func:`kmeans` was asked for, under the same names."""

    n_init: int
    max_iter: int
    spherical: bool
    init: str
    max_points_per_centroid: int
    tol: float


def _inertia(rows: Array, labels: Array, centroids: Array) -> float:
    """Sum squared distances, some rows at a time: a copy of all would be large."""
    total = 0.0
    for start in range(0, len(rows), ROWS):
        part = slice(start, start + ROWS)
        residual = rows[part] - centroids[labels[part]]
        total += float(np.einsum("ij,ij->", residual, residual, dtype=np.float64))
    return total


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
            where="k (model.k in params.yaml, or --k)",
            expected=f"between 1 and {n_samples}",
            found=n_clusters,
            do="choose a smaller k, or build the benchmark with more images",
        )


def _lloyd(rows: Array, n_clusters: int, seed: int, options: Options) -> Array:
    """Return the centroids; call it with one thread, which fixes the order of all sums.

    ``seed`` has 31 bits.
    """
    most = options.max_points_per_centroid * n_clusters
    points = rows if len(rows) <= most else rows[_shuffled(len(rows), seed)[:most]]
    if len(points) == n_clusters:
        return unit(points) if options.spherical else points.copy()
    solver = Lloyd(points, spherical=options.spherical)
    best: tuple[float, Array] | None = None
    for start in range(options.n_init):
        first = _start(points, n_clusters, options.init, seed + 1 + start * STRIDE)
        found = solver.run(first, max_iter=options.max_iter, tol=options.tol)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    return best[1]


def _start(points: Array, n_clusters: int, init: str, seed: int) -> Array:
    """Draw rows by faiss: all alike, or each in proportion to its distance."""
    if init == "random":
        return np.ascontiguousarray(points[_shuffled(len(points), seed)[:n_clusters]])
    faiss = _faiss()
    chooser = faiss.ClusteringInitialization(points.shape[1], n_clusters)
    chooser.method = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS
    chooser.seed = seed
    first = np.empty((n_clusters, points.shape[1]), np.float32)
    chooser.init_centroids(len(points), faiss.swig_ptr(points), faiss.swig_ptr(first))
    return first


def _shuffled(n: int, seed: int) -> Array:
    faiss = _faiss()
    order = np.empty(n, np.int32)
    faiss.rand_perm(faiss.swig_ptr(order), n, seed)
    return order


def _faiss() -> Any:
    """Return faiss, whose stubs do not name what it draws with."""
    import faiss

    return faiss
