"""k-means as faiss does it, with everything that decides its numbers said out loud.

On a CPU faiss draws the sample, the starts and what an empty cluster takes; the
iterations between are products of matrices, which cost a third of its own search for
the nearest centroid. Centroids are those of ``faiss.Kmeans`` up to rounding.

Rows whose nearest centroid cannot change are skipped: how far centroids move bounds how
far distances change (Elkan, ICML 2003; Ding et al., Yinyang K-means, ICML 2015). There
is an upper bound of each row's distance to its own centroid, and a lower one of those
to each group of others. Bounds are wider than products of matrices round, so that
labels are those of computing all distances, but where two centroids are equally near up
to rounding. Sums of the members are kept in float64.

Shapes: n rows; k centroids; t groups of centroids; d features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.numerics import threads
from mmclust.kernels.nearest_centroids import (
    ROWS,
    SCORES,
    nearest_centroids,
    repeated_rows,
    rounding,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Array = np.ndarray[Any, Any]

INITS = ("random", "k-means++")
STRIDE = 15_486_557
"""Between the seeds of faiss's starts."""
PART = np.float32(1 / 1024)
"""By how much the halves of a divided cluster are moved apart, as in faiss."""
_FEATURES = 8  # to a bound: those of all rows take an eighth of the rows' memory
_MOST = 0.5  # share of the rows from which all are computed, without a copy of them
_FAR = 2  # assignments after which centroids move too far for any bound
_SLACK = 1e-6  # what bounds lose when they are moved, in shares of the longest


@dataclass(frozen=True)
class KMeans:
    """The result of :func:`kmeans`.

    Parameters
    ----------
    labels
        int32 (n,): the nearest centroid of each row, the lowest of equals.
    centroids
        float32 (k, d).
    """

    labels: Array
    centroids: Array


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
    most = n_clusters * (max_points_per_centroid or len(rows))
    if device == "cpu":
        with threads(1):
            points, starts = _starts(rows, n_clusters, seed % (2**31 - 1), init, most)
            if len(points) == n_clusters:
                centroids = unit(points) if spherical else points.copy()
            else:
                solver = Lloyd(points, spherical=spherical)
                run = partial(solver.run, max_iter=max_iter)
                centroids = _best(run, islice(starts, n_init))
            labels = nearest_centroids(rows, centroids, spherical=spherical)
    else:
        from mmclust.kernels.kmeans_torch import lloyd, starts_on

        held, drawn = starts_on(device, rows, n_clusters, seed, init, most)
        there = partial(lloyd, held, max_iter=max_iter, spherical=spherical)
        centroids = _best(there, islice(drawn, n_init)).cpu().numpy()
        labels = nearest_centroids(rows, centroids, spherical=spherical, device=device)
    return KMeans(labels, centroids)


def _best(run: Callable[[Any], tuple[float, Any]], starts: Iterable[Any]) -> Any:
    """Return the centroids with the best objective, the first of equals."""
    return min(map(run, starts), key=itemgetter(0))[1]


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


def _starts(
    rows: Array, n_clusters: int, seed: int, init: str, most: int
) -> tuple[Array, Iterator[Array]]:
    """Return the rows to train on, and starts without end; ``seed`` has 31 bits."""
    points = rows if len(rows) <= most else rows[_shuffled(len(rows), seed)[:most]]
    seeds = count(seed + 1, STRIDE)
    return points, (_start(points, n_clusters, init, each) for each in seeds)


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


class Lloyd:
    """k-means on some rows from any start.

    Parameters
    ----------
    points
        float32 (n, d), in C order.
    spherical
        Centroids are of unit norm, and rows go by inner product.
    """

    def __init__(self, points: Array, *, spherical: bool) -> None:
        self.points, self.spherical = points, spherical
        squares = np.einsum("ij,ij->i", points, points, dtype=np.float64)
        self.squares = squares.astype(np.float32)
        self.longest = float(np.sqrt(squares.max()))
        self.offset = 0.0 if spherical else float(squares.sum()) / 2

    def run(self, centroids: Array, *, max_iter: int) -> tuple[float, Array]:
        """Return the objective of the last assignment that improved, its centroids.

        The objective is a sum of -(x·c) or, not spherical, of (x - c)²/2.
        """
        draw = _faiss().RandomGenerator(1234)
        if self.spherical:
            centroids = unit(centroids)
        members = Members(self, centroids)
        last, kept = np.inf, centroids
        for step in range(max_iter):
            changed = members.assign(centroids)
            loss = members.objective(centroids) + self.offset
            if last - loss <= 0:
                return last, kept
            last, kept = loss, centroids
            if step and not changed:
                return last, kept
            centroids = members.means(draw)
            if self.spherical:
                centroids = unit(centroids)
        return last, centroids


class Members:
    """Whose rows are whose, with bounds of distances, and sums of the members."""

    def __init__(self, lloyd: Lloyd, centroids: Array) -> None:
        self._lloyd = lloyd
        n, d = lloyd.points.shape
        self.k = k = len(centroids)
        groups = max(min(k, d // _FEATURES), 1)
        self._starts = np.arange(groups) * k // groups
        self.labels = np.full(n, -1, np.int32)
        self._upper = np.full(n, np.inf, np.float32)
        self._lower = np.full((n, groups), -np.inf, np.float32)
        self._sums = np.zeros((k, d))
        self._sizes = np.zeros(k, np.int64)
        self._before = centroids
        self._steps = 0

    def assign(self, centroids: Array) -> bool:
        """Give each row to its nearest centroid, of equals the lowest.

        Returned is whether any row changes. Of the first assignments, after which
        centroids move far, no bound is taken.
        """
        again = repeated_rows(centroids)[0]
        self._steps += 1
        bounded = self._steps > _FAR and not len(again) and self._comparable(centroids)
        everything, total = True, len(self.labels)
        unsure = np.zeros(0, np.int64)
        if bounded:
            self._move(centroids)
            unsure = np.flatnonzero(self._upper >= self._lower.min(axis=1))
            everything = len(unsure) > _MOST * total
            total = total if everything else len(unsure)
        else:
            self._upper[:] = np.inf
        size = max(min(ROWS, SCORES // self.k), 1)
        changed = False
        for start in range(0, total, size):
            stop = min(start + size, total)
            part = slice(start, stop) if everything else unsure[start:stop]
            changed |= self._compute(part, centroids, again, bounded=bounded)
        self._before = centroids
        return changed

    def _comparable(self, centroids: Array) -> bool:
        """Whether the nearest centroid by distance is that by inner product, too."""
        if not self._lloyd.spherical:
            return True
        lengths = np.einsum("ij,ij->i", centroids, centroids)
        return bool((np.abs(lengths - 1) < 1e-5).all())  # noqa: PLR2004

    def _move(self, centroids: Array) -> None:
        moved = np.linalg.norm(
            centroids.astype(np.float64) - self._before.astype(np.float64), axis=1
        )
        moved = (moved + _SLACK * self._lloyd.longest).astype(np.float32)
        self._upper += moved[self.labels]
        self._lower -= np.maximum.reduceat(moved, self._starts)

    def _compute(
        self, part: Any, centroids: Array, again: Array, *, bounded: bool
    ) -> bool:
        """Assign some rows by all distances, and bound them; tell if any changes."""
        lloyd = self._lloyd
        rows = lloyd.points[part]
        half = np.einsum("ij,ij->i", centroids, centroids) / 2
        scores = np.dot(rows, centroids.T)
        if not lloyd.spherical:
            scores -= half
        scores[:, again] = -np.inf
        best = scores.argmax(axis=1).astype(np.int32)
        if bounded:
            self._bound(part, scores, best, half)
        old = self.labels[part]
        other = np.flatnonzero(best != old)
        if len(other):
            self._add(rows[other], old[other], best[other])
            self.labels[part] = best
        return bool(len(other))

    def _bound(self, part: Any, scores: Array, best: Array, half: Array) -> None:
        """Bound distances of rows from scores, which are used up."""
        lloyd = self._lloyd
        d = lloyd.points.shape[1]
        sizes = np.array((lloyd.longest + float(np.sqrt(2 * half.max()))) ** 2)
        off = 6 * float(rounding(d, sizes, np.float32))
        squares = lloyd.squares[part]
        if lloyd.spherical:  # x·c, where half of |c|² is 1/2
            off += 2 * float(np.abs(half - 0.5).max())
            squares = squares + np.float32(1)
        every = np.arange(len(best))
        own = squares - 2 * scores[every, best]
        self._upper[part] = np.sqrt(np.maximum(own, 0) + np.float32(off))
        scores[every, best] = -np.inf
        if len(self._starts) < self.k:
            scores = np.maximum.reduceat(scores, self._starts, axis=1)
        scores *= -2
        scores += (squares - np.float32(off))[:, None]
        np.maximum(scores, 0, out=scores)
        self._lower[part] = np.sqrt(scores, out=scores)

    def _add(self, rows: Array, old: Array, new: Array) -> None:
        """Move rows from one cluster to another, -1 for none, in the sums."""
        from scipy.sparse import csc_array

        # A column a row: into its new cluster, and into those k below, its old one.
        both = np.stack([new, np.where(old < 0, -1, old + self.k)], axis=1)
        there = both >= 0
        ends = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32)
        labels = both[there]
        member = csc_array(
            (np.ones(len(labels), np.float32), labels, ends), (2 * self.k, len(rows))
        )
        came, went = np.split(member @ rows, 2)
        self._sums += came
        self._sums -= went
        more, fewer = np.split(np.bincount(labels, minlength=2 * self.k), 2)
        self._sizes += more - fewer

    def objective(self, centroids: Array) -> float:
        """Return the sum of -(x·c) or, not spherical, of |c|²/2 - x·c."""
        wide = centroids.astype(np.float64)
        loss = -float(np.einsum("ij,ij->", self._sums, wide))
        if not self._lloyd.spherical:
            loss += float(self._sizes @ np.einsum("ij,ij->i", wide, wide)) / 2
        return loss

    def means(self, draw: Any) -> Array:
        """Return each cluster's mean; an empty one takes half of another, as faiss."""
        sizes, n = self._sizes.copy(), len(self.labels)
        means = (self._sums / np.maximum(sizes, 1)[:, None]).astype(np.float32)
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


def unit(rows: Array) -> Array:
    """Scale rows to unit norm; rows of zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))
