"""Exact nearest neighbours by inner product, each row without itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.numerics import threads

SCORES = 1 << 27
"""Scores held at once on an accelerator: half a gigabyte."""


def nearest_neighbors(
    features: np.ndarray[Any, Any], n_neighbors: int, *, device: str = "cpu"
) -> np.ndarray[Any, Any]:
    """Return the rows with the largest inner product with each row.

    A row is excluded from its own list by its index, not by its rank: among equal
    rows it need not come first (TAC's code drops the first column, which is another
    row then). Equal scores are ordered by the lower index.

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
    if not 1 <= n_neighbors < n:
        raise MmclustError(
            f"{n} rows do not have {n_neighbors} neighbours each",
            where="n_neighbors (in params.yaml, or --set n_neighbors=…)",
            expected=f"between 1 and {max(n - 1, 0)}",
            found=n_neighbors,
            do="lower n_neighbors, or give more rows",
        )
    rows = np.ascontiguousarray(features, dtype=np.float32)
    # Itself, and one more that shows whether the cut goes through equal scores.
    wanted = min(n_neighbors + 2, n)
    if device == "cpu":
        import faiss

        with threads(1):
            scores, found = faiss.knn(rows, rows, wanted, faiss.METRIC_INNER_PRODUCT)
    else:
        scores, found = _torch(rows, wanted, device)
    result = _without_itself(scores, found, n_neighbors)
    if wanted < n:
        for row in np.flatnonzero(scores[:, -1] == scores[:, -2]).tolist():
            result[row] = _in_full(rows, row, n_neighbors)
    return result


def _without_itself(
    scores: np.ndarray[Any, Any], found: np.ndarray[Any, Any], n_neighbors: int
) -> np.ndarray[Any, Any]:
    """Drop each row's own index, and what is too many; equal scores by index."""
    tied = np.flatnonzero((scores[:, 1:] == scores[:, :-1]).any(axis=1))
    if len(tied):
        order = np.lexsort((found[tied], -scores[tied]), axis=1)
        found = found.copy()
        found[tied] = np.take_along_axis(found[tied], order, axis=1)
    keep = found != np.arange(len(found))[:, None]
    keep &= np.cumsum(keep, axis=1) <= n_neighbors
    kept: np.ndarray[Any, Any] = found[keep].reshape(len(found), n_neighbors)
    return kept


def _in_full(
    rows: np.ndarray[Any, Any], row: int, n_neighbors: int
) -> np.ndarray[Any, Any]:
    scores = rows @ rows[row]
    scores[row] = -np.inf
    return np.argsort(-scores, kind="stable")[:n_neighbors]


def _torch(
    rows: np.ndarray[Any, Any], wanted: int, device: str
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    import torch

    points = torch.from_numpy(rows).to(device)
    blocks = torch.split(points, max(SCORES // len(rows), 1))
    best = [torch.topk(block @ points.T, wanted) for block in blocks]
    scores = torch.cat([b.values for b in best]).cpu().numpy()
    return scores, torch.cat([b.indices for b in best]).cpu().numpy()
