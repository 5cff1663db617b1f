"""k-means on mini-batches, for features that memory does not hold (Sculley 2010).

A step assigns a batch of rows and moves each centroid to the mean of all rows that it
was given so far. Features are read a batch at a time, where they lie. A batch, larger
than the paper's, is made of short runs of rows from all over the file, in an order that
the seed shuffles anew for each pass: a file may be sorted. It is summed in parts, and
the parts' sums are added in their order, so that centroids are the same wherever the
parts are computed. The first are those of k-means on one batch.

Source: Sculley, Web-Scale k-Means Clustering, WWW 2010.

Shapes: n rows; k centroids; d features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import release
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.seeds import generator
from mmclust.kernels.kmeans import kmeans, unit
from mmclust.kernels.nearest_centroids import nearest_centroids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Part = tuple[Any, Any, bool]
    Sums = tuple[Any, Any, float]
    Spread = Callable[[Callable[[Part], Sums], list[Part]], Iterable[Sums]]

Array = np.ndarray[Any, Any]

DETERMINISTIC = False

RUN = 256
"""Rows that lie together in the file and go into a batch together."""
PART = 32
"""Runs that are summed at once: 8,192 rows."""
ENOUGH = 1e-3
"""Share of the objective by which a pass must improve it for another one to follow."""


@dataclass(frozen=True)
class Params:
    """How large a batch is, and how long centroids move."""

    batch_rows: Positive = 65_536
    """Rows per batch; a batch is all that is held in memory."""
    max_iter: Positive = 10
    """Passes over the rows, at most; it ends where one improves little."""
    n_init: Positive = 3
    """Starts of the k-means on the first batch."""
    spherical: bool = True
    """Whether centroids are scaled to unit norm, and rows go by inner product."""


def fit_predict(
    features: Array, n_clusters: int, params: Params, *, seed: int
) -> Array:
    """Cluster float32 (n, d), rows at unit norm, most often mapped, into int32 (n,)."""
    centroids = minibatch_centroids(features, n_clusters, params, seed=seed)
    return streamed_labels(features, centroids, spherical=params.spherical)


def minibatch_centroids(
    rows: Array, n_clusters: int, params: Params, *, seed: int, spread: Spread = map
) -> Array:
    """Return centroids of rows that are read a batch at a time: float32 (k, d).

    ``spread`` gives what a function of a part returns for each of some parts, in order,
    and so says where they are computed; :func:`map`: here, one after the other.
    """
    n_runs = -(-len(rows) // RUN)
    step = -(-params.batch_rows // RUN)
    if n_runs > step and n_clusters > (step - 1) * RUN:  # one run may be short
        raise MmclustError(
            "A batch has fewer rows than there are clusters",
            where="batch_rows, an option of minibatch_kmeans",
            expected=f"at least {n_clusters + RUN} rows",
            found=params.batch_rows,
        )
    order = generator(seed, "pass", 0).permutation(n_runs)
    sample, spherical = taken(rows, np.sort(order[:step])), params.spherical
    centroids = kmeans(
        sample, n_clusters, seed=seed, n_init=params.n_init, spherical=spherical
    ).centroids
    means = centroids.astype(np.float64)
    seen = np.zeros(n_clusters, np.int64)
    before = np.inf
    for each in range(params.max_iter):
        loss = 0.0
        order = generator(seed, "pass", each).permutation(n_runs)
        for start in range(0, n_runs, step):
            runs = order[start : start + step]
            parts: list[Part] = [
                (runs[at : at + PART], centroids, spherical)
                for at in range(0, len(runs), PART)
            ]
            sums, sizes = np.zeros_like(means), np.zeros_like(seen)
            for some, number, lost in spread(partial(summed, rows), parts):
                sums += some
                sizes += number
                loss += lost
            seen += sizes
            means += (sums - sizes[:, None] * means) / np.maximum(seen, 1)[:, None]
            centroids = means.astype(np.float32)
            if spherical:
                centroids = unit(centroids)
        if before - loss <= ENOUGH * abs(before) and before != np.inf:
            break
        before = loss
    return centroids


def summed(rows: Array, part: Part) -> Sums:
    """Return sums and numbers of the rows of each cluster, and their objective.

    float64 (k, d); int64 (k,); the sum of -(x·c) or of (x - c)²/2. A part is numbers of
    runs of rows, centroids, and whether they are spherical.
    """
    from scipy.sparse import csc_array

    runs, centroids, spherical = part
    some = taken(rows, runs)
    labels = nearest_centroids(some, centroids, spherical=spherical)
    m, k = len(some), len(centroids)
    wide, own = some.astype(np.float64), centroids[labels]
    member = csc_array((np.ones(m), labels, np.arange(m + 1, dtype=np.int32)), (k, m))
    if spherical:
        loss = -float(np.einsum("ij,ij->", wide, own))
    else:
        apart = wide - own
        loss = float(np.einsum("ij,ij->", apart, apart)) / 2
    return member @ wide, np.bincount(labels, minlength=k), loss


def taken(rows: Array, runs: Array) -> Array:
    """Return a copy of some runs of rows, and let go of what was read of the file."""
    found = np.concatenate([rows[run * RUN : (run + 1) * RUN] for run in runs.tolist()])
    release(rows)
    return found


def streamed_labels(rows: Array, centroids: Array, *, spherical: bool = False) -> Array:
    """Return :func:`nearest_centroids` of mapped rows, some rows at a time."""
    labels = np.empty(len(rows), np.int32)
    for start in range(0, len(rows), RUN * PART):
        part = slice(start, start + RUN * PART)
        labels[part] = nearest_centroids(rows[part], centroids, spherical=spherical)
        release(rows)
    return labels
