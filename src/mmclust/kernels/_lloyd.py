"""faiss's k-means on a CPU: its random numbers and rules, the arithmetic by BLAS.

faiss draws the sample, the starts and what an empty cluster takes; the iterations
between are products of matrices, which cost a third of its own search for the nearest
centroid. Centroids are those of ``faiss.Kmeans`` up to rounding.

Shapes: n rows; k centroids; d features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.kernels._repeated import repeated_rows
from mmclust.kernels.nearest_centroids import ROWS, SCORES

if TYPE_CHECKING:
    from mmclust.kernels.kmeans import Options

Array = np.ndarray[Any, Any]

STRIDE = 15_486_557
"""Between the seeds of faiss's starts."""
PART = np.float32(1 / 1024)
"""By how much the halves of a divided cluster are moved apart, as in faiss."""


def lloyd(rows: Array, n_clusters: int, seed: int, options: Options) -> Array:
    """Return the centroids; call it with one thread, which fixes the order of all sums.

    Parameters
    ----------
    rows
        float32 (n, d), C order.
    n_clusters, options
        See :func:`mmclust.kernels.kmeans.kmeans`.
    seed
        Of 31 bits.

    Returns
    -------
    numpy.ndarray
        float32 (k, d).
    """
    most = options.max_points_per_centroid * n_clusters
    points = rows if len(rows) <= most else rows[_shuffled(len(rows), seed)[:most]]
    if len(points) == n_clusters:
        return _unit(points) if options.spherical else points.copy()
    lengths = 0.0
    if not options.spherical:
        lengths = float(np.einsum("ij,ij->", points, points, dtype=np.float64)) / 2
    best: tuple[float, Array] | None = None
    for start in range(options.n_init):
        first = _start(points, n_clusters, options.init, seed + 1 + start * STRIDE)
        found = _iterate(points, first, options, lengths)
        if best is None or found[0] < best[0]:
            best = found
    assert best is not None
    return best[1]


def _iterate(
    points: Array, centroids: Array, options: Options, lengths: float
) -> tuple[float, Array]:
    """Return the objective of the last assignment that improved, and its centroids.

    ``lengths`` is what :func:`_assign` leaves out of it.
    """
    draw = _faiss().RandomGenerator(1234)
    if options.spherical:
        centroids = _unit(centroids)
    last, kept = np.inf, centroids
    labels: Array | None = None
    for _ in range(options.max_iter):
        before = labels
        labels, loss = _assign(points, centroids, spherical=options.spherical)
        loss += lengths
        if last - loss <= options.tol * abs(last) and last != np.inf:
            return (loss, centroids) if loss < last else (last, kept)
        last, kept = loss, centroids
        if before is not None and np.array_equal(labels, before):
            break
        centroids = _means(points, labels, len(centroids), draw)
        if options.spherical:
            centroids = _unit(centroids)
    else:
        return last, centroids
    return last, kept


def _assign(rows: Array, centroids: Array, *, spherical: bool) -> tuple[Array, float]:
    """Return each row's nearest centroid, up to rounding, and the objective.

    Of centroids that coincide, it is the lowest. The objective is a sum of -(x·c) or,
    not spherical, |c|²/2 - x·c: what is left of distances without the rows' own
    lengths, which never change.
    """
    half = np.einsum("ij,ij->i", centroids, centroids) / 2
    again = _repeated(centroids)
    n, k = len(rows), len(centroids)
    size = max(min(ROWS, SCORES // k), 1)
    scores = np.empty((min(size, n), k), np.float32)
    labels = np.empty(n, np.int32)
    loss = 0.0
    for start in range(0, n, size):
        block = rows[start : start + size]
        found = np.dot(block, centroids.T, out=scores[: len(block)])
        if not spherical:
            found -= half
        found[:, again] = -np.inf
        best = found.argmax(axis=1)
        labels[start : start + size] = best
        loss -= float(found[np.arange(len(best)), best].sum(dtype=np.float64))
    return labels, loss


def _repeated(centroids: Array) -> Array:
    """Return the centroids that repeat an earlier one; most often there are none."""
    first = np.sort(centroids[:, 0])
    if not (first[1:] == first[:-1]).any():
        return np.zeros(0, np.int64)
    return repeated_rows(centroids)[0]


def _means(points: Array, labels: Array, n_clusters: int, draw: Any) -> Array:
    """Return each cluster's mean; an empty one takes half of another, as in faiss."""
    from scipy.sparse import csc_array

    n = len(points)
    ones, ends = np.ones(n, np.float32), np.arange(n + 1, dtype=np.int32)
    member = csc_array((ones, labels, ends), (n_clusters, n))
    sizes = np.bincount(labels, minlength=n_clusters)
    means: Array = np.asarray(member @ points)
    means /= np.maximum(sizes, 1).astype(np.float32)[:, None]
    for empty in np.flatnonzero(sizes == 0).tolist():
        _divide(means, sizes, empty, n, draw)
    return means


def _divide(means: Array, sizes: Array, empty: int, n: int, draw: Any) -> None:
    """Give an empty cluster half of one that is drawn in proportion to its size."""
    k = len(means)
    large = 0
    while draw.rand_float() >= (sizes[large] - 1) / (n - k):
        large = (large + 1) % k
    signs = np.where(np.arange(means.shape[1]) % 2, -PART, PART)
    means[empty] = means[large] * (1 + signs)
    means[large] *= 1 - signs
    sizes[empty] = sizes[large] // 2
    sizes[large] -= sizes[empty]


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


def _unit(rows: Array) -> Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))
