"""Exact nearest neighbours of each row, without itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.numerics import threads
from mmclust.kernels.nearest_centroids import (
    exact_scores,
    norms,
    repeated_rows,
    rounding,
)
from mmclust.kernels.products import on

Array = np.ndarray[Any, Any]

SPARE = 8
"""Neighbours listed beyond those wanted: they show whether equals are cut apart."""
SCORES = 1 << 27
"""Scores held at once on an accelerator: half a gigabyte."""
_SCORES = 1 << 22  # on a CPU, of the rows that are compared with all others


def nearest_neighbors(
    features: Array, n_neighbors: int, *, device: str = "cpu"
) -> Array:
    """Return the rows with the largest inner product with each row.

    A row is excluded from its own list by its index, not by its rank: among equal
    rows it need not come first (TAC's code drops the first column, which is another
    row then). Equal scores are ordered by the lower index; scores that rounding may
    have parted or joined are computed again, so that lists depend on the rows alone.

    Parameters
    ----------
    features
        float32 (n, d); at unit norm, inner products are cosines.
    n_neighbors
        Fewer than n.
    device
        ``cpu`` (faiss, one thread), or where torch runs.

    Returns
    -------
    numpy.ndarray
        int64 (n, n_neighbors), best first.

    Raises
    ------
    MmclustError
        When there are not that many other rows.
    """
    rows = _checked(features, n_neighbors)
    wanted = min(n_neighbors + 1 + SPARE, len(rows))
    if device == "cpu":
        import faiss

        with threads(1):
            scores, found = faiss.knn(rows, rows, wanted, faiss.METRIC_INNER_PRODUCT)
    else:
        scores, found = _torch(rows, wanted, device)
    return _decided(rows, scores, found, n_neighbors)


def nearest_by_distance(features: Array, n_neighbors: int) -> Array:
    """Return the rows nearest to each by Euclidean distance, without itself.

    As :func:`nearest_neighbors` in all else.

    Parameters
    ----------
    features
        float32 (n, d), of any length.
    n_neighbors
        Fewer than n.

    Returns
    -------
    numpy.ndarray
        int64 (n, n_neighbors), nearest first.

    Raises
    ------
    MmclustError
        When there are not that many other rows.
    """
    import faiss

    rows = _checked(features, n_neighbors)
    wanted = min(n_neighbors + 1 + SPARE, len(rows))
    with threads(1):
        far, found = faiss.knn(rows, rows, wanted, faiss.METRIC_L2)
    return _decided(rows, -far, found, n_neighbors, apart=True)


def _checked(features: Array, n_neighbors: int) -> Array:
    n = len(features)
    if not 1 <= n_neighbors < n:
        raise MmclustError(
            f"{n} rows do not have {n_neighbors} neighbours each",
            where="n_neighbors (in params.yaml, or --set n_neighbors=…)",
            expected=f"between 1 and {max(n - 1, 0)}",
            found=n_neighbors,
            do="lower n_neighbors, or give more rows",
        )
    return np.ascontiguousarray(features, dtype=np.float32)


def _decided(
    rows: Array, scores: Array, found: Array, n_neighbors: int, *, apart: bool = False
) -> Array:
    """Return the lists without the row itself, in the order of exact scores.

    Scores are inner products or, if ``apart``, squared distances below zero.
    """
    n, d = rows.shape
    lengths = norms(rows)
    sizes = (lengths + lengths.max()) ** 2 if apart else lengths * lengths.max()
    off = 2 * rounding(d, sizes, np.float32)
    scores, found = _in_order(rows, scores, found, off, apart=apart)
    result = _without(np.arange(n), found, n_neighbors)
    if found.shape[1] == n:
        return result
    last = _without(np.arange(n), found, n_neighbors, scores)[:, -1]
    # What was not listed may be as near as the last one that was kept.
    unsure = np.flatnonzero(~(last - scores[:, -1] > off))
    same, (again, first) = np.arange(n), repeated_rows(rows)
    same[again] = first  # equal rows have one list, each without itself
    different, place = np.unique(same[unsure], return_inverse=True)
    lists = np.empty((len(different), n_neighbors + 1), found.dtype)
    step = max(_SCORES // n, 1)
    for start in range(0, len(different), step):
        part = different[start : start + step]
        every = rows[part] @ rows.T
        if apart:
            every = 2 * every - lengths**2
        for i, row in enumerate(part):
            lists[start + i] = _in_full(
                rows, row, every[i], n_neighbors + 1, off[row], apart=apart
            )
    result[unsure] = _without(unsure, lists[place], n_neighbors)
    return result


def _without(
    own: Array, found: Array, n_neighbors: int, values: Array | None = None
) -> Array:
    """Return the first of each list, or their values, without the row itself."""
    kept = found != own[:, None]
    kept &= np.cumsum(kept, axis=1) <= n_neighbors
    return np.asarray((found if values is None else values)[kept]).reshape(
        len(own), n_neighbors
    )


def _in_order(
    rows: Array, scores: Array, found: Array, off: Array, *, apart: bool
) -> tuple[Array, Array]:
    """Order lists again where scores are too near to each other to be told apart."""
    close = ~(scores[:, :-1] - scores[:, 1:] > off[:, None])
    tied = np.flatnonzero(close.any(axis=1))
    some = np.zeros((len(tied), scores.shape[1]), bool)
    some[:, :-1] = close[tied]
    some[:, 1:] |= close[tied]
    row, place = np.nonzero(some)
    row = tied[row]
    scores, found = scores.astype(np.float64), found.copy()
    scores[row, place] = exact_scores(rows, row, rows, found[row, place], apart=apart)
    order = np.lexsort((found[tied], -scores[tied]), axis=1)
    for each in (scores, found):
        each[tied] = np.take_along_axis(each[tied], order, axis=1)
    return scores, found


def _in_full(
    rows: Array, row: int, scores: Array, n_neighbors: int, off: float, *, apart: bool
) -> Array:
    """Choose from all rows, itself too, whose ``scores``, (n,), are off by rounding."""
    bar = np.partition(scores, len(rows) - n_neighbors)[-n_neighbors] - off
    near = np.flatnonzero(~(scores < bar))
    # Of inner products of counts of words, few features count.
    used = np.arange(rows.shape[1]) if apart else np.flatnonzero(rows[row])
    used = used if len(used) else np.zeros(1, np.int64)
    own, others = rows[row : row + 1, used], rows[np.ix_(near, used)]
    exact = exact_scores(
        own, np.zeros_like(near), others, np.arange(len(near)), apart=apart
    )
    return np.asarray(near[np.lexsort((near, -exact))[:n_neighbors]])


def _torch(rows: Array, wanted: int, device: str) -> tuple[Array, Array]:
    import torch

    points = on(device, rows)
    blocks = torch.split(points, max(SCORES // len(rows), 1))
    best = [torch.topk(block @ points.T, wanted) for block in blocks]
    scores = torch.cat([b.values for b in best]).cpu().numpy()
    return scores, torch.cat([b.indices for b in best]).cpu().numpy()
