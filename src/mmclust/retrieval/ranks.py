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
from mmclust.kernels.nearest_centroids import repeated_rows
from mmclust.kernels.products import on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

Array = np.ndarray[Any, Any]

ROWS = 256
"""Queries per block: 256 against 31,244 candidates are 32 MB of scores."""
ROWS_ACCELERATED = 2048
"""The same on an accelerator: 256 MB of scores."""
_PARTS = 256  # parts of a row, at least, whose highest scores set the bar for lists
_CACHED = 1 << 21  # bytes of scores that stay in a processor's cache between passes
_FEW = 1 / 16  # of the candidates: so many at most are looked at one by one


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
        pool = on(device, candidates)
        repeated, there = on(device, double), on(device, first)

        def block_on(start: int, stop: int) -> torch.Tensor:
            scores = on(device, np.asarray(queries[start:stop], kind)) @ pool.T
            scores[:, repeated] = scores[:, there]
            return scores

        return _ranks_on(block_on, positives, tuple(sections or (n,)), top_k)
    flipped = candidates.T
    buffer = np.empty((min(ROWS, len(queries)), n), dtype=kind)

    def block(start: int, stop: int) -> Array:
        scores = buffer[: stop - start]
        np.matmul(np.asarray(queries[start:stop], kind), flipped, out=scores)
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
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in track(starts, label, len(starts), "blocks"):
            stop = min(start + ROWS, n_queries)
            scores = block(start, stop)
            step = max(1, _CACHED // scores[0].nbytes)
            work = [
                pool.submit(_fill, ranks, scores[i - start : i - start + step],
                            positives, ends, i)
                for i in range(start, stop, step)
            ]  # fmt: skip
            for each in work:
                each.result()
    return ranks


def _fill(
    ranks: Ranks,
    scores: Array,
    positives: Array,
    ends: Sequence[int],
    start: int,
) -> None:
    """Rank some rows, few enough to stay in the processor's cache."""
    rows = slice(start, start + len(scores))
    at = positives[rows]
    own = np.where(at >= 0, np.take_along_axis(scores, np.maximum(at, 0), 1), np.nan)
    ranks.scores[rows] = own
    mask = np.empty(scores.shape, dtype=bool)
    lines = np.arange(len(scores))
    few = _fill_few(ranks, scores, own, at, ends, rows, mask)
    for j in range(0 if few else at.shape[1]):
        bar = own[:, j, None]
        ranks.greater[:, rows, j] = _count(np.greater(scores, bar, out=mask), ends)
        np.equal(scores, bar, out=mask)
        mask[lines, at[:, j]] = False  # itself
        if mask.any():
            ranks.equal[:, rows, j] = _count(mask, ends)
    if k := ranks.top.shape[1]:
        found = _listed(scores[:, : ends[-1]], k)
        ranks.top[rows], ranks.top_scores[rows] = found


def _fill_few(
    ranks: Ranks,
    scores: Array,
    own: Array,
    at: Array,
    ends: Sequence[int],
    rows: slice,
    mask: Array,
) -> bool:
    """Rank rows whose positives stand high, by what reaches the lowest of each.

    False, and nothing done, where that is much: then passes over all are faster.
    """
    n = scores.shape[1]
    np.greater_equal(scores, np.fmin.reduce(own, axis=1)[:, None], out=mask)
    if np.count_nonzero(mask) > mask.size * _FEW:
        return False
    row, column = np.divmod(np.flatnonzero(mask), n)
    values = scores[row, column]
    # A row's place in the first section that has the candidate.
    place = np.searchsorted(ends, column, side="right") * len(scores) + row
    shape = (len(ends) + 1, len(scores))
    size = shape[0] * shape[1]
    for j in range(at.shape[1]):
        bar = own[row, j]
        for into, chosen in (
            (ranks.greater, values > bar),
            (ranks.equal, values == bar),
        ):
            counts = np.bincount(place[chosen], minlength=size).reshape(shape)
            into[:, rows, j] = np.cumsum(counts[:-1], axis=0)
        for section, end in enumerate(ends):  # itself
            ranks.equal[section, rows, j] -= (at[:, j] >= 0) & (at[:, j] < end)
    return True


def _count(mask: Array, ends: Sequence[int]) -> Array:
    """Count the true values of each row up to each section's end: int64 (s, b)."""
    spans = zip((0, *ends[:-1]), ends, strict=True)
    # Row by row: along an axis, numpy counts several times slower.
    each = [[np.count_nonzero(row[a:b]) for row in mask] for a, b in spans]
    return np.cumsum(np.array(each, dtype=np.int64), axis=0)


def _listed(scores: Array, k: int) -> tuple[Array, Array]:
    """Find the k best of each row in the few parts that can hold them."""
    n = scores.shape[1]
    width = max(1, n // max(_PARTS, 24 * k))
    highest = np.maximum.reduceat(scores, np.arange(0, n, width), axis=1)
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


def _ranks_on(
    block: Callable[[int, int], torch.Tensor],
    positives: Array,
    ends: Sequence[int],
    top_k: int,
) -> Ranks:
    """Count on an accelerator, where blocks of scores lie."""
    import torch

    greater, equal, own, top, top_scores = [], [], [], [], []
    for start in range(0, len(positives), ROWS_ACCELERATED):
        rows = positives[start : start + ROWS_ACCELERATED]
        scores = block(start, start + len(rows))
        at = torch.tensor(rows, dtype=torch.int64, device=scores.device)
        right = scores.gather(1, at.clamp(min=0)).masked_fill(at < 0, torch.nan)
        own.append(right)
        counts = [_counts_on(scores[:, :end], right) for end in ends]
        greater.append(torch.stack([more for more, _ in counts]))
        held = [((at >= 0) & (at < end)).long() for end in ends]
        ties = [same - mine for (_, same), mine in zip(counts, held, strict=True)]
        equal.append(torch.stack(ties))
        best, values = _best_on(scores[:, : ends[-1]], min(top_k, ends[-1]))
        top.append(best)
        top_scores.append(values)
    return Ranks(
        torch.cat(greater, 1).cpu().numpy(),
        torch.cat(equal, 1).cpu().numpy(),
        torch.cat(own).cpu().numpy(),
        torch.cat(top).cpu().numpy(),
        torch.cat(top_scores).cpu().numpy(),
    )


def _best_on(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k best of each row and their scores, equal ones by position.

    ``topk`` cuts equal scores apart anywhere; it only says where the cut is.
    """
    import torch

    if not k:
        return scores.new_zeros(len(scores), 0, dtype=torch.int64), scores[:, :0]
    bar = scores.topk(k).values.amin(1, keepdim=True)
    above, level = scores > bar, scores == bar
    room = k - above.sum(1, keepdim=True)
    kept = above | (level & (level.cumsum(1, dtype=torch.int32) <= room))
    columns = kept.nonzero()[:, 1].reshape(len(scores), k)
    values = scores.gather(1, columns)
    order = torch.argsort(values, dim=1, descending=True, stable=True)
    return columns.gather(1, order), values.gather(1, order)


def _counts_on(
    scores: torch.Tensor, right: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Count scores above, and equal to, each column of ``right``: (b, p) each."""
    import torch

    columns = torch.split(right, 1, dim=1)  # one at a time: a block is large enough
    more = torch.cat([(scores > bar).sum(1, keepdim=True) for bar in columns], 1)
    least = torch.cat([(scores >= bar).sum(1, keepdim=True) for bar in columns], 1)
    return more, least - more
