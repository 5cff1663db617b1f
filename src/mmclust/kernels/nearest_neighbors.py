"""Exact nearest neighbours of each row, without itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.numerics import threads
from mmclust.kernels.nearest_centroids import (
    inner_products,
    norms,
    rounding,
    squared_distances,
)

Array = np.ndarray[Any, Any]

SPARE = 8
"""Neighbours listed beyond those wanted: they show whether equals are cut apart."""
SCORES = 1 << 27
"""Scores held at once on an accelerator: half a gigabyte."""


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
    n = len(features)
    _require(n, n_neighbors)
    rows = np.ascontiguousarray(features, dtype=np.float32)
    wanted = min(n_neighbors + 1 + SPARE, n)
    if device == "cpu":
        import faiss

        with threads(1):
            scores, found = faiss.knn(rows, rows, wanted, faiss.METRIC_INNER_PRODUCT)
    else:
        scores, found = _torch(rows, wanted, device)
    return _decided(rows, scores, found, n_neighbors)


def nearest_by_distance(features: Array, n_neighbors: int) -> Array:
    """Return the rows nearest to each by Euclidean distance, without itself.

    A row is excluded by its index. faiss lists candidates; their distances are computed
    again in float64, and equal ones are ordered by the lower index.

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

    n = len(features)
    _require(n, n_neighbors)
    rows = np.ascontiguousarray(features, dtype=np.float32)
    wanted = min(n_neighbors + 1 + SPARE, n)
    with threads(1):
        _, found = faiss.knn(rows, rows, wanted, faiss.METRIC_L2)
    at = np.repeat(np.arange(n), wanted)
    far = squared_distances(rows, at, rows, found.ravel()).reshape(found.shape)
    far[found == np.arange(n)[:, None]] = np.inf
    order = np.lexsort((found, far), axis=1)[:, :n_neighbors]
    return np.asarray(np.take_along_axis(found, order, axis=1))


def _require(n: int, n_neighbors: int) -> None:
    if not 1 <= n_neighbors < n:
        raise MmclustError(
            f"{n} rows do not have {n_neighbors} neighbours each",
            where="n_neighbors (in params.yaml, or --set n_neighbors=…)",
            expected=f"between 1 and {max(n - 1, 0)}",
            found=n_neighbors,
            do="lower n_neighbors, or give more rows",
        )


def _decided(rows: Array, scores: Array, found: Array, n_neighbors: int) -> Array:
    """Return the lists without the row itself, in the order of exact scores."""
    lengths = norms(rows)
    off = 2 * rounding(rows.shape[1], lengths * lengths.max(), np.float32)
    scores, found = _in_order(rows, scores, found, off)
    kept = found != np.arange(len(rows))[:, None]
    kept &= np.cumsum(kept, axis=1) <= n_neighbors
    result: Array = found[kept].reshape(-1, n_neighbors)
    if found.shape[1] < len(rows):
        last = scores[kept].reshape(-1, n_neighbors)[:, -1]
        # What was not listed may be as near as the last one that was kept.
        for row in np.flatnonzero(~(last - scores[:, -1] > off)).tolist():
            result[row] = _in_full(rows, row, n_neighbors, off[row])
    return result


def _in_order(
    rows: Array, scores: Array, found: Array, off: Array
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
    scores[row, place] = inner_products(rows, row, rows, found[row, place])
    order = np.lexsort((found[tied], -scores[tied]), axis=1)
    for each in (scores, found):
        each[tied] = np.take_along_axis(each[tied], order, axis=1)
    return scores, found


def _in_full(rows: Array, row: int, n_neighbors: int, off: float) -> Array:
    """Compare a row with all others."""
    scores = rows @ rows[row]
    scores[row] = -np.inf
    bar = np.partition(scores, len(rows) - n_neighbors)[-n_neighbors] - off
    near = np.flatnonzero(~(scores < bar))
    near = near[near != row]
    used = np.flatnonzero(rows[row])  # few where rows are counts of words
    used = used if len(used) else np.zeros(1, np.int64)
    own, others = rows[row : row + 1, used], rows[np.ix_(near, used)]
    exact = inner_products(own, np.zeros_like(near), others, np.arange(len(near)))
    return np.asarray(near[np.lexsort((near, -exact))[:n_neighbors]])


def _torch(rows: Array, wanted: int, device: str) -> tuple[Array, Array]:
    import torch

    torch.backends.cuda.matmul.allow_tf32 = False
    points = torch.from_numpy(rows).to(device)
    blocks = torch.split(points, max(SCORES // len(rows), 1))
    best = [torch.topk(block @ points.T, wanted) for block in blocks]
    scores = torch.cat([b.values for b in best]).cpu().numpy()
    return scores, torch.cat([b.indices for b in best]).cpu().numpy()
