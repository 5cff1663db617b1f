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
from mmclust.kernels._best import highest_of_parts, listed, part_width
from mmclust.kernels._repeated import repeated_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = np.ndarray[Any, Any]

ROWS = 256
"""Queries per block: 256 against 31,244 candidates are 32 MB of scores."""
_CACHED = 1 << 19  # bytes of scores that stay in a processor's cache between passes
_LISTED = 64  # rows whose best are listed at once: enough to be worth the calls


@dataclass(frozen=True)
class Ranks:
    """Where the positives of each query stand.

    Parameters
    ----------
    greater, equal
        int64 (s, m, p): candidates of each section that score more than the
        positive, and others that score the same.
    scores
        float32, or float64 where scores are (m, p): of the positives; NaN where a
        query has fewer.
    top, top_scores
        int64, and as ``scores``, (m, k): the best candidates of the last section,
        best first, equal ones by position.
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
        float32 (m, d) and (n, d); if either is float64, so are products.
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
    kind = np.result_type(queries, candidates, np.float32)
    candidates = np.ascontiguousarray(candidates, dtype=kind)
    double, first = repeated_rows(candidates)
    n = len(candidates)
    if device != "cpu":
        from mmclust.kernels._ranks_torch import ranks_on

        ends = tuple(sections or (n,))
        repeated = (double, first)
        return Ranks(
            *ranks_on(device, queries, candidates, positives, ends, top_k, repeated)
        )
    flipped = candidates.T
    buffer = np.empty((min(ROWS, len(queries)), n), dtype=kind)

    def block(start: int, stop: int) -> Array:
        scores = buffer[: stop - start]
        np.matmul(np.asarray(queries[start:stop], kind), flipped, out=scores)
        if len(double):
            scores[:, double] = scores[:, first]
        return scores

    return rank_scores(
        block,
        len(queries),
        n,
        positives,
        sections=sections,
        top_k=top_k,
        label=label,
        kind=kind,
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
    kind: np.dtype[Any] | type = np.float32,
) -> Ranks:
    """Rank by scores that come in blocks of rows.

    Parameters
    ----------
    block
        ``block(start, stop)`` gives scores (stop - start, n); they are overwritten
        by nobody but the next call.
    n_queries, n_candidates
        m and n.
    positives, sections, top_k, label
        See :func:`rank_embeddings`.
    kind
        Of the scores: float32 or float64.

    Returns
    -------
    Ranks
        See there.
    """
    ends = tuple(sections or (n_candidates,))
    m, p = positives.shape
    k = min(top_k, ends[-1])
    ranks = Ranks(
        np.zeros((len(ends), m, p), dtype=np.int64),
        np.zeros((len(ends), m, p), dtype=np.int64),
        np.full((m, p), np.nan, dtype=kind),
        np.zeros((m, k), dtype=np.int64),
        np.zeros((m, k), dtype=kind),
    )
    starts = range(0, n_queries, ROWS)
    width = part_width(ends[-1], k)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in track(starts, label, len(starts), "blocks"):
            stop = min(start + ROWS, n_queries)
            scores = block(start, stop)
            step = max(1, _CACHED // scores[0].nbytes)
            work = [
                pool.submit(_fill, ranks, scores[i - start : i - start + step],
                            positives, ends, i, width)
                for i in range(start, stop, step)
            ]  # fmt: skip
            highest = np.concatenate([each.result() for each in work])
            lists = [
                pool.submit(_list, ranks, scores[i - start : i - start + _LISTED],
                            highest[i - start : i - start + _LISTED], ends[-1], i,
                            width)
                for i in range(start, stop if k else start, _LISTED)
            ]  # fmt: skip
            for each in lists:
                each.result()
    return ranks


def _fill(
    ranks: Ranks,
    scores: Array,
    positives: Array,
    ends: Sequence[int],
    start: int,
    width: int,
) -> Array:
    """Rank some rows, few enough to stay in the processor's cache.

    Returns the highest score of every ``width`` candidates of the last section.
    """
    rows = slice(start, start + len(scores))
    at = positives[rows]
    own = np.where(at >= 0, np.take_along_axis(scores, np.maximum(at, 0), 1), np.nan)
    ranks.scores[rows] = own
    mask = np.empty(scores.shape, dtype=bool)
    lines = np.arange(len(scores))
    for j in range(at.shape[1]):
        bar = own[:, j, None]
        ranks.greater[:, rows, j] = _count(np.greater(scores, bar, out=mask), ends)
        np.equal(scores, bar, out=mask)
        mask[lines, at[:, j]] = False  # itself
        if mask.any():
            ranks.equal[:, rows, j] = _count(mask, ends)
    if not ranks.top.shape[1]:
        return scores[:, :0]
    return highest_of_parts(scores[:, : ends[-1]], width)


def _list(
    ranks: Ranks, scores: Array, highest: Array, end: int, start: int, width: int
) -> None:
    """List the best candidates of some rows."""
    rows, k = slice(start, start + len(scores)), ranks.top.shape[1]
    found = listed(scores[:, :end], highest, width, k)
    ranks.top[rows], ranks.top_scores[rows] = found


def _count(mask: Array, ends: Sequence[int]) -> Array:
    """Count the true values of each row up to each section's end: int64 (s, b)."""
    spans = zip((0, *ends[:-1]), ends, strict=True)
    # Row by row: along an axis, numpy counts several times slower.
    each = [[np.count_nonzero(row[a:b]) for row in mask] for a, b in spans]
    return np.cumsum(np.array(each, dtype=np.int64), axis=0)
