"""k-means of rows that do not fit into memory, by mini-batches from a mapped file.

A step assigns a batch of rows and moves each centroid to the mean of all rows that it
was given so far (Sculley, WWW 2010). A batch is made of short runs of rows from all
over the file, in an order that the seed shuffles anew for each pass: a file may be
sorted. It is summed in parts, and the parts' sums are added in their order, so that
centroids are the same wherever the parts are computed.

Shapes: n rows; k centroids; d features.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import release
from mmclust.core.seeds import generator
from mmclust.kernels.kmeans import kmeans, require_k
from mmclust.kernels.lloyd import unit
from mmclust.kernels.nearest_centroids import nearest_centroids

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Part = tuple[Any, Any, bool]
    Sums = tuple[Any, Any, float]
    Spread = Callable[[Callable[[Part], Sums], list[Part]], Iterable[Sums]]

Array = np.ndarray[Any, Any]

RUN = 256
"""Rows that lie together in the file and go into a batch together."""
PART = 32
"""Runs that are summed at once: 8,192 rows."""
ENOUGH = 1e-3
"""Share of the objective by which a pass must improve it for another one to follow."""


def minibatch_centroids(
    rows: Array,
    n_clusters: int,
    *,
    seed: int,
    batch: int,
    passes: int = 10,
    n_init: int = 10,
    spherical: bool = False,
    spread: Spread = map,
) -> Array:
    """Return centroids of rows that are read a batch at a time.

    The first are those of k-means on one batch of rows. It ends after a pass that
    improves the objective by less than a thousandth.

    Parameters
    ----------
    rows
        float32 (n, d), most often mapped; at most a batch of it is held in memory.
    n_clusters
        k, at most n and at most ``batch``.
    seed
        Any non-negative integer.
    batch
        Rows of a step, rounded up to whole runs of 256.
    passes
        Over all rows, at most.
    n_init
        Starts of the k-means on the first batch.
    spherical
        Scale centroids to unit norm and assign by inner product.
    spread
        Gives what a function of a part returns for each of some parts, in order,
        and so says where they are computed. :func:`map`: here, one after the other.

    Returns
    -------
    numpy.ndarray
        float32 (k, d).

    Raises
    ------
    MmclustError
        When k is larger than n or than a batch.
    """
    require_k(n_clusters, len(rows))
    n_runs = -(-len(rows) // RUN)
    step = -(-batch // RUN)
    if n_runs > step and n_clusters > (step - 1) * RUN:  # one run may be short
        raise MmclustError(
            "A batch has fewer rows than there are clusters",
            where="batch_rows, an option of minibatch_kmeans",
            expected=f"at least {n_clusters + RUN} rows",
            found=batch,
        )
    order = generator(seed, "pass", 0).permutation(n_runs)
    sample = taken(rows, np.sort(order[:step]))
    centroids = kmeans(
        sample, n_clusters, seed=seed, n_init=n_init, spherical=spherical
    ).centroids
    means = centroids.astype(np.float64)
    seen = np.zeros(n_clusters, np.int64)
    before = np.inf
    for each in range(passes):
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
    """Return the sum and number of the rows of each cluster, and their objective.

    Parameters
    ----------
    rows
        float32 (n, d).
    part
        Numbers of runs of rows, centroids, and whether they are spherical.

    Returns
    -------
    sums, sizes, objective
        float64 (k, d); int64 (k,); the sum of -(x·c) or of (x - c)²/2.
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
        wide -= own
        loss = float(np.einsum("ij,ij->", wide, wide)) / 2
        wide = some.astype(np.float64)
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
