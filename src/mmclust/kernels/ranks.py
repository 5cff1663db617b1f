"""Ranks among many candidates, from blocks of scores that are never held whole.

Shapes: m queries; n candidates; p positives of a query at most; s sections.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Array = np.ndarray[Any, Any]

ROWS = 256
"""Queries per block: 256 against 31,244 candidates are 32 MB of scores."""
_SLICE = 16  # rows that stay in a processor's cache: 2 MB
_LANES = 255  # bytes of ones that a byte of a sum can hold
_SAMPLE = 4096  # candidates that set the bar for the lists of the best


@dataclass(frozen=True)
class Ranks:
    """Where the positives of each query stand.

    Parameters
    ----------
    greater, equal
        int64 (s, m, p): candidates of each section that score more than the
        positive, and others that score the same.
    scores
        float32 (m, p): of the positives; NaN where a query has fewer.
    top, top_scores
        int64 and float32 (m, k): the best candidates of the last section, best
        first, equal ones by position.
    """

    greater: Array
    equal: Array
    scores: Array
    top: Array
    top_scores: Array


def rank_embeddings(
    queries: Array,
    candidates: Array,
    positives: Array,
    *,
    sections: Sequence[int] | None = None,
    top_k: int = 10,
    device: str = "cpu",
    label: str = "Ranking",
) -> Ranks:
    """Rank by inner product, block by block.

    Candidates with equal embeddings get exactly equal scores, whatever the matrix
    product makes of them.

    Parameters
    ----------
    queries, candidates
        float32 (m, d) and (n, d).
    positives
        int (m, p): positions of each query's own candidates; -1 fills up.
    sections
        The candidates are counted up to each of these positions; default: all.
    top_k
        How many of the best to list.
    device
        ``cpu``, or a torch device such as ``cuda``.
    label
        For the progress bar.

    Returns
    -------
    Ranks
        See there.
    """
    double, first = _repeated(candidates)
    n = len(candidates)
    if device != "cpu":
        from mmclust.kernels._ranks_torch import ranks_on

        ends = tuple(sections or (n,))
        repeated = (double, first)
        return Ranks(
            *ranks_on(device, queries, candidates, positives, ends, top_k, repeated)
        )
    flipped = np.ascontiguousarray(candidates, dtype=np.float32).T
    buffer = np.empty((min(ROWS, len(queries)), n), dtype=np.float32)

    def block(start: int, stop: int) -> Array:
        scores = buffer[: stop - start]
        np.matmul(np.asarray(queries[start:stop], np.float32), flipped, out=scores)
        scores[:, double] = scores[:, first]
        return scores

    return rank_scores(
        block, len(queries), n, positives, sections=sections, top_k=top_k, label=label
    )


def rank_scores(
    block: Callable[[int, int], Array],
    n_queries: int,
    n_candidates: int,
    positives: Array,
    *,
    sections: Sequence[int] | None = None,
    top_k: int = 10,
    label: str = "Ranking",
) -> Ranks:
    """Rank by scores that come in blocks of rows.

    Parameters
    ----------
    block
        ``block(start, stop)`` gives float32 (stop - start, n); it is overwritten by
        nobody but the next call.
    n_queries, n_candidates
        m and n.
    positives, sections, top_k, label
        See :func:`rank_embeddings`.

    Returns
    -------
    Ranks
        See there.
    """
    ends = tuple(sections or (n_candidates,))
    m, p = positives.shape
    ranks = Ranks(
        np.zeros((len(ends), m, p), dtype=np.int64),
        np.zeros((len(ends), m, p), dtype=np.int64),
        np.full((m, p), np.nan, dtype=np.float32),
        np.zeros((m, min(top_k, ends[-1])), dtype=np.int64),
        np.zeros((m, min(top_k, ends[-1])), dtype=np.float32),
    )
    starts = range(0, n_queries, ROWS)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in track(starts, label, len(starts), "blocks"):
            stop = min(start + ROWS, n_queries)
            scores = block(start, stop)
            work = [
                pool.submit(_fill, ranks, scores[i - start : i - start + _SLICE],
                            positives, ends, i)
                for i in range(start, stop, _SLICE)
            ]  # fmt: skip
            for each in work:
                each.result()
    return ranks


def _fill(
    ranks: Ranks, scores: Array, positives: Array, ends: Sequence[int], start: int
) -> None:
    """Rank some rows, few enough to stay in the processor's cache."""
    rows = slice(start, start + len(scores))
    at = positives[rows]
    own = np.where(at >= 0, np.take_along_axis(scores, np.maximum(at, 0), 1), np.nan)
    ranks.scores[rows] = own
    for j in range(at.shape[1]):
        bar = own[:, j, None]
        for s, (left, right) in enumerate(_spans(ends)):
            part = scores[:, left:right]
            more = _count(part > bar)
            ranks.greater[s:, rows, j] += more
            ranks.equal[s:, rows, j] += _count(part >= bar) - more
    # Each positive equals itself in the sections that hold it.
    for s, end in enumerate(ends):
        ranks.equal[s, rows] -= (at >= 0) & (at < end)
    if k := ranks.top.shape[1]:
        ranks.top[rows], ranks.top_scores[rows] = best(scores[:, : ends[-1]], k)


def best(scores: Array, k: int) -> tuple[Array, Array]:
    """Return the k best of each row, best first, equal ones by position.

    Parameters
    ----------
    scores
        float32 (b, n).
    k
        At most n.

    Returns
    -------
    positions, scores : numpy.ndarray
        int64 and float32 (b, k).
    """
    # The k-th best of some of the columns lets few of all columns pass.
    sample = scores[:, : max(_SAMPLE, k)]
    bar = np.partition(sample, sample.shape[1] - k, axis=1)[:, -k, None]
    flat = _true(scores >= bar)
    rows, columns = np.divmod(flat, scores.shape[1])
    values = scores[rows, columns]
    order = np.lexsort((columns, -values, rows))
    first = np.searchsorted(rows, np.arange(len(scores)))
    chosen = order[first[:, None] + np.arange(k)]
    return columns[chosen], values[chosen]


def _true(mask: Array) -> Array:
    """Return the flat positions of the few true values, eight looked at at once."""
    flat = np.ascontiguousarray(mask).ravel()
    whole = len(flat) // 8 * 8
    words = np.flatnonzero(flat[:whole].view(np.uint64))
    near = (words[:, None] * 8 + np.arange(8)).ravel()
    near = np.concatenate([near, np.arange(whole, len(flat))])
    return np.asarray(near[flat[near]])


def _spans(ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut the columns where sections end, so that each is compared once."""
    return zip((0, *ends[:-1]), ends, strict=True)


def _count(mask: Array) -> Array:
    """Count the true values of each row: int64 (b,); several times numpy's sum."""
    rows, n = mask.shape
    words = n // 8
    packed = np.ascontiguousarray(mask[:, : words * 8]).view(np.uint64)
    total = mask[:, words * 8 :].sum(axis=1)
    for start in range(0, words, _LANES):
        lanes = packed[:, start : start + _LANES].sum(axis=1, dtype=np.uint64)
        total = total + lanes.view(np.uint8).reshape(rows, 8).sum(axis=1)
    return np.asarray(total, dtype=np.int64)


def _repeated(candidates: Array) -> tuple[Array, Array]:
    """Return the rows that repeat an earlier one, and which."""
    # Adding zero makes -0.0 and 0.0 the same bytes.
    rows = np.ascontiguousarray(candidates, dtype=np.float32) + np.float32(0)
    raw = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, back = np.unique(raw, return_index=True, return_inverse=True)
    earlier = first[back]
    double = np.flatnonzero(earlier != np.arange(len(rows)))
    return double, earlier[double]
