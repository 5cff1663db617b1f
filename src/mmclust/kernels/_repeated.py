"""Rows of a matrix that are equal, found by their bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_ROWS = 256  # at a time: products are twice as wide as the rows


def repeated_rows(candidates: Array) -> tuple[Array, Array]:
    """Return the rows that repeat an earlier one, and which that is.

    Parameters
    ----------
    candidates
        float32 or float64 (n, d), in C order; -0.0 and 0.0 are one number.

    Returns
    -------
    later, earlier : numpy.ndarray
        int64 (r,) each: the rows that repeat, and the first row that each is equal to.
    """
    # Adding zero makes -0.0 and 0.0 the same bytes.
    rows = candidates + candidates.dtype.type(0)
    # Equal rows have equal keys; the few rows that share one are compared in full.
    _, back, counts = np.unique(_keys(rows), return_inverse=True, return_counts=True)
    some = np.flatnonzero(counts[back] > 1)
    raw = rows[some].view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, back = np.unique(raw, return_index=True, return_inverse=True)
    earlier = some[first[back]]
    double = earlier != some
    return some[double], earlier[double]


def _keys(rows: Array) -> Array:
    """Return a number for each row that depends on its bytes alone: uint64 (n,)."""
    words = np.ascontiguousarray(rows).view(np.uint32)
    # Odd numbers, so that no product loses a bit of its word.
    odd = np.arange(words.shape[1], dtype=np.uint64) * 0x9E3779B97F4A7C15 * 2 + 1
    parts = [
        (words[start : start + _ROWS] * odd).sum(axis=1, dtype=np.uint64)
        for start in range(0, len(words), _ROWS)
    ]
    return np.concatenate(parts)
