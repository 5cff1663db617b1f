"""Each row's nearest centroid, whatever a product of matrices makes of a tie.

Such a product rounds by a row's place in its block, by the number of threads and by
the processor: equal rows, and centroids that coincide, may get scores that differ in
the last bits. Where scores are nearer to the best than rounding can put them, they are
computed again, in float64 and in an order of sums that nothing changes. Rows that are
equal are found by their bytes.

Shapes: n rows; k centroids; d features.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.kernels.products import on

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

Array = np.ndarray[Any, Any]

ROWS = 4096
"""Rows that are multiplied at once, at most."""
SCORES = 1 << 22
"""Inner products held at once: 16 MiB of float32."""
_NUMBERS = 1 << 18  # products held at once where pairs are computed again: 2 MiB
_KEYS = 256  # rows whose keys are made at once: products are twice as wide as they


def nearest_centroids(
    rows: Array, centroids: Array, *, spherical: bool = False, device: str = "cpu"
) -> Array:
    """Return the centroid nearest to each row, the lowest of equals: int32 (n,).

    Equal rows get equal labels, and a row that two centroids are equally near to gets
    the lower one, for any number of rows, block, thread and processor.

    Parameters
    ----------
    rows, centroids
        float32 (n, d) and (k, d).
    spherical
        By the largest inner product, not by the smallest Euclidean distance.
    device
        ``cpu``, or where torch runs; what is not certain is decided on the CPU.
    """
    rows = np.ascontiguousarray(rows, np.float32)
    centroids = np.ascontiguousarray(centroids, np.float32)
    size = max(min(ROWS, SCORES // len(centroids)), 1)
    labels = np.empty(len(rows), np.int32)
    candidates: Callable[..., tuple[Array, Array]] = _candidates
    if device != "cpu":
        candidates = partial(_candidates_on, device=device)
        size = max(16 * SCORES // len(centroids), 1)
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        first, several = candidates(block, centroids, spherical=spherical)
        labels[start : start + size] = first
        for part in np.split(several, range(ROWS, len(several), ROWS)):
            labels[start + part] = _decided(block[part], centroids, spherical=spherical)
    return labels


def rounding(n_features: int, sizes: Array, kind: Any) -> Array:
    """Bound how far a sum of products is from the exact one, in any order of sums.

    A sum has ``n_features`` products, of a float ``kind``; the sums of their absolute
    values are at most ``sizes``, float64 (n,).
    """
    precision = np.finfo(kind)
    share = (n_features + 8) * float(precision.eps) / 2
    below = n_features * float(precision.tiny)  # where numbers are too small to round
    return np.asarray(share / (1 - min(share, 0.5)) * sizes + below)


def margin(rows: Array, centroids: Array, *, spherical: bool) -> Array:
    """Return how far below the best score the nearest centroid's may be: float64 (n,).

    Three times the rounding: of both scores, and of the distance computed again.
    """
    lengths, longest = norms(rows), norms(centroids).max()
    sizes = lengths * longest if spherical else (lengths + longest) ** 2
    return 3 * rounding(rows.shape[1], sizes, rows.dtype)


def norms(rows: Array) -> Array:
    """Return the Euclidean norm of each row: float64 (n,)."""
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64)))


def exact_scores(
    rows: Array, i: Array, others: Array, j: Array, *, apart: bool
) -> Array:
    """Return how near ``rows[i]`` and ``others[j]`` are: float64 (m,).

    Their inner product or, if ``apart``, their squared distance below zero. It depends
    on the two rows alone: products of float32 are exact in float64, and they are added
    in an order that depends on their number.
    """
    found = np.empty(len(i))
    step = max(_NUMBERS // rows.shape[1], 1)
    for start in range(0, len(i), step):
        some = slice(start, start + step)
        numbers = rows[i[some]].astype(np.float64)
        if apart:
            numbers -= others[j[some]]
            numbers *= -numbers
        else:
            numbers *= others[j[some]]
        width = numbers.shape[1]
        while width > 1:  # the second half is added to the first
            half = (width + 1) // 2
            numbers[:, : width - half] += numbers[:, half:width]
            width = half
        found[some] = numbers[:, 0]
    return found


def _scores(rows: Array, centroids: Array, *, spherical: bool) -> Array:
    scores: Array = rows @ centroids.T
    if not spherical:
        scores -= (norms(centroids) ** 2 / 2).astype(scores.dtype)
    return scores


def _close(rows: Array, centroids: Array, *, spherical: bool) -> Array:
    """Return which centroids may be nearest to each row: bool (n, k)."""
    scores = _scores(rows, centroids, spherical=spherical)
    off = margin(rows, centroids, spherical=spherical)
    bar = (scores.max(axis=1) - off).astype(scores.dtype)
    # A score that is no number is not below: the row is computed again.
    return np.asarray(~(scores < bar[:, None]))


def _candidates(
    rows: Array, centroids: Array, *, spherical: bool
) -> tuple[Array, Array]:
    """Return each row's first candidate, and the rows that have several."""
    close = _close(rows, centroids, spherical=spherical)
    return close.argmax(axis=1), np.flatnonzero(np.count_nonzero(close, axis=1) > 1)


def _candidates_on(
    rows: Array, centroids: Array, *, spherical: bool, device: str
) -> tuple[Array, Array]:
    """Find candidates as :func:`_candidates` does, where torch runs."""
    scores = scores_on(on(device, rows), on(device, centroids), spherical=spherical)
    off = margin(rows, centroids, spherical=spherical).astype(np.float32)
    close = ~(scores < (scores.amax(1) - on(device, off))[:, None])
    several = (close.sum(1) > 1).nonzero()[:, 0]
    return close.int().argmax(1).cpu().numpy(), several.cpu().numpy()


def scores_on(
    points: torch.Tensor, centroids: torch.Tensor, *, spherical: bool
) -> torch.Tensor:
    """Return products (n, k), less half the squared length unless ``spherical``."""
    scores = points @ centroids.T
    if not spherical:
        scores -= centroids.square().sum(1) / 2
    return scores


def _decided(rows: Array, centroids: Array, *, spherical: bool) -> Array:
    """Return the nearest centroid of rows that have several candidates."""
    wide = rows.astype(np.float64), centroids.astype(np.float64)
    close = _close(*wide, spherical=spherical)
    row, column = np.nonzero(close)
    near = np.full(close.shape, -np.inf)
    near[row, column] = exact_scores(rows, row, centroids, column, apart=not spherical)
    return np.asarray(near.argmax(axis=1))


def repeated_rows(candidates: Array) -> tuple[Array, Array]:
    """Return the rows that repeat an earlier one, and the first such: int64 (r,) each.

    They are float32 or float64 (n, d), in C order; -0.0 and 0.0 are one number.
    """
    first = np.sort(candidates[:, 0])
    if not (first[1:] == first[:-1]).any():  # most often, without a copy of all
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
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
        (words[start : start + _KEYS] * odd).sum(axis=1, dtype=np.uint64)
        for start in range(0, len(words), _KEYS)
    ]
    return np.concatenate(parts)
