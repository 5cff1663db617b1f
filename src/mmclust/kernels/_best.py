"""The best few of many scores: looked for only in parts of a row that can hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_PARTS = 256  # parts of a row, at least, whose highest scores set the bar for lists


def best(scores: Array, k: int) -> tuple[Array, Array]:
    """Return the k best of each row, best first, equal ones by position.

    Parameters
    ----------
    scores
        float32 or float64 (b, n).
    k
        At most n.

    Returns
    -------
    positions, scores : numpy.ndarray
        int64, and as ``scores``, (b, k).
    """
    width = part_width(scores.shape[1], k)
    return listed(scores, highest_of_parts(scores, width), width, k)


def part_width(n: int, k: int) -> int:
    """Return how many neighbours make a part of a row of n; k parts or more."""
    return max(1, n // max(_PARTS, 24 * k))


def highest_of_parts(scores: Array, width: int) -> Array:
    """Return the highest score of each part of a row."""
    starts = np.arange(0, scores.shape[1], width)
    return np.asarray(np.maximum.reduceat(scores, starts, axis=1))


def listed(scores: Array, highest: Array, width: int, k: int) -> tuple[Array, Array]:
    """Find the k best of each row in the few parts that can hold them."""
    n = scores.shape[1]
    # k parts have a score as high as the k-th highest of all parts' highest.
    bar = np.partition(highest, highest.shape[1] - k, axis=1)[:, -k]
    row, part = np.divmod(np.flatnonzero(highest >= bar[:, None]), highest.shape[1])
    columns = part[:, None] * width + np.arange(width)
    values = scores[row[:, None], np.minimum(columns, n - 1)]
    at, within = np.nonzero((values >= bar[row, None]) & (columns < n))
    rows, columns, values = row[at], columns[at, within], values[at, within]
    order = np.lexsort((columns, -values, rows))
    first = np.searchsorted(rows, np.arange(len(scores)))
    chosen = order[first[:, None] + np.arange(k)]
    return columns[chosen], values[chosen]
