"""Affinities that diffuse over several graphs, whose weights are found meanwhile.

Each turn diffuses until little moves, then shifts weight to the graphs whose affinities
vary least between neighbours. Threads share out columns, so that no sum depends on how
many there are.

Source: the regularised diffusion of NTK-SC (Peng et al., ICLR 2026, arXiv 2602.09586).

Shapes: n rows; P graphs.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

Array = np.ndarray[Any, Any]

COLUMNS = 128
"""Columns of an (n, n) matrix that are multiplied at once: they stay in a cache."""
OUTER, INNER, PASSES = 5, 8, 4
"""Turns of diffusion and weights; steps of a diffusion; passes over the weights."""
STILL = 1e-4
"""Relative change below which a diffusion ends."""


def normalised_graph(parts: Sequence[Sequence[Array]], n: int) -> Any:
    """Return D^-½ max(W, Wᵀ) D^-½, no degree below 1; negative edges are left out."""
    from scipy.sparse import csr_array, diags_array

    rows, columns, weights = (np.concatenate(each) for each in parts)
    graph = csr_array((weights, (rows, columns)), shape=(n, n))
    graph = graph.maximum(graph.T)
    graph.data = np.maximum(graph.data, 0)
    graph.eliminate_zeros()
    degrees = np.asarray(graph.sum(axis=1, dtype=np.float64)).ravel()
    scale = diags_array(1 / np.sqrt(np.maximum(degrees, 1)))
    return (scale @ graph @ scale).tocsr().astype(np.float32)


def diffused(
    graphs: Sequence[Any], mu: float, smoothness: float
) -> tuple[Array, Array]:
    """Return affinities that diffused over all graphs, and the graphs' weights.

    float32 (n, n), symmetric, none negative; float64 (P,), in sum 1.
    """
    affinity = np.eye(graphs[0].shape[0], dtype=np.float32)
    weights = np.full(len(graphs), 1 / len(graphs))
    for _ in track(range(OUTER), "diffusion", OUTER, "turns"):
        shares = shares_of(weights, mu)
        for _ in range(INNER):
            following = step(affinity, graphs, shares)
            moved, size = _length(following - affinity), _length(affinity)
            affinity = following
            if moved < STILL * size:
                break
        own = _length(affinity) ** 2
        costs = [own - _across(affinity, graph) for graph in graphs]
        for _ in range(PASSES):
            weights = descended(weights, np.asarray(costs), smoothness)
    return affinity, weights


def shares_of(weights: Array, mu: float) -> Array:
    """Return how much of each graph a step takes; the rest is the identity's."""
    return np.asarray(weights / (mu + weights.sum()))


def step(affinity: Array, graphs: Sequence[Any], shares: Array) -> Array:
    """Return Σ α T A Tᵀ + (1 - Σ α) I of symmetric A and T: float32 (n, n)."""
    result = np.zeros_like(affinity)
    half = np.empty_like(affinity)
    for graph, share in zip(graphs, shares.tolist(), strict=True):
        if not share:
            continue
        _times(graph, affinity, half)

        def add(start: int, graph: Any = graph, share: float = share) -> None:
            # The product is symmetric: its lower half is enough.
            columns = slice(start, start + COLUMNS)
            found = graph[start:] @ np.ascontiguousarray(half[columns].T)
            found *= np.float32(share)
            result[start:, columns] += found

        list(shared(add, range(0, len(affinity), COLUMNS)))
    own = np.arange(len(result))
    result[own, own] += np.float32(1 - shares.sum())
    lower = np.tril(result)
    return np.asarray(lower + np.tril(result, -1).T)


def descended(weights: Array, costs: Array, smoothness: float) -> Array:
    """Return the prompts' weights after a pass of pairwise coordinate descent."""
    found = weights.tolist()
    for i, j in combinations(range(len(found)), 2):
        both = found[i] + found[j]
        first = (smoothness * both + costs[j] - costs[i]) / (2 * smoothness)
        found[i] = min(max(float(first), 0.0), 1.0)
        found[j] = min(max(both - found[i], 0.0), 1.0)
    return on_simplex(np.asarray(found))


def on_simplex(point: Array) -> Array:
    """Return the nearest point whose entries are at least 0 and 1 in sum."""
    ordered = -np.sort(-point)
    over = (np.cumsum(ordered) - 1) / np.arange(1, len(point) + 1)
    return np.asarray(np.maximum(point - over[ordered > over][-1], 0))


def _times(graph: Any, dense: Array, out: Array) -> None:
    """Multiply a sparse and a dense (n, n) matrix."""

    def part(start: int) -> None:
        columns = slice(start, start + COLUMNS)
        out[:, columns] = graph @ np.ascontiguousarray(dense[:, columns])

    list(shared(part, range(0, len(dense), COLUMNS)))


def _across(affinity: Array, graph: Any) -> float:
    """Return ⟨A, T A Tᵀ⟩ of symmetric A and T, which is the trace of (T A)²."""
    half = np.empty_like(affinity)
    _times(graph, affinity, half)
    return float(np.einsum("ij,ji->", half, half, dtype=np.float64))


def _length(matrix: Array) -> float:
    return float(np.sqrt(np.einsum("ij,ij->", matrix, matrix, dtype=np.float64)))


def shared(run: Callable[[int], Any], starts: Iterable[int]) -> Iterator[Any]:
    """Yield what a function gives of each start, in order, by all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(run, starts)
