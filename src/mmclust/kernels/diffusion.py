"""Affinities that diffuse over several graphs, whose weights are found meanwhile.

Each turn diffuses until little moves, then shifts weight to the graphs whose affinities
vary least between neighbours. Threads share out columns, so that no sum depends on how
many there are.

Source: the regularised diffusion of NTK-SC (Peng et al., ICLR 2026, arXiv 2602.09586).

Shapes: n rows; P graphs; c columns of a block.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.numerics import in_thread
from mmclust.core.progress import track

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import torch

Array = np.ndarray[Any, Any]
Blocks = list[Array]
"""An (n, n) matrix of float32, as the (n, c) blocks of its columns."""

COLUMNS = 64
"""Columns of a block: they are multiplied at once, and stay in a cache."""
OUTER, INNER, PASSES = 5, 8, 4
"""Turns of diffusion and weights; steps of a diffusion; passes over the weights."""
STILL = 1e-4
"""Relative change below which a diffusion ends."""


@dataclass(frozen=True)
class Graph:
    """A symmetric sparse (n, n) matrix: numbers by row, and where each row starts."""

    columns: torch.Tensor
    starts: torch.Tensor
    weights: torch.Tensor

    def times(self, dense: Array, first: int = 0) -> torch.Tensor:
        """Return its rows from ``first`` on times (n, c) columns: float32.

        Each entry is a chain of fused multiplications and additions, in the order of
        the row: the same on every processor, three times as fast as scipy's.
        """
        import torch
        from torch.nn.functional import embedding_bag

        begin = int(self.starts[first])
        return embedding_bag(
            self.columns[begin:], torch.from_numpy(dense), self.starts[first:] - begin,
            mode="sum", per_sample_weights=self.weights[begin:],
            include_last_offset=True,
        )  # fmt: skip


def normalised_graph(parts: Sequence[Sequence[Array]], n: int) -> Graph:
    """Return D^-½ max(W, Wᵀ) D^-½, no degree below 1; negative edges are left out."""
    import torch
    from scipy.sparse import csr_array, diags_array

    rows, columns, weights = (np.concatenate(each) for each in parts)
    graph = csr_array((weights, (rows, columns)), shape=(n, n))
    graph = graph.maximum(graph.T)
    graph.data = np.maximum(graph.data, 0)
    graph.eliminate_zeros()
    degrees = np.asarray(graph.sum(axis=1, dtype=np.float64)).ravel()
    scale = diags_array(1 / np.sqrt(np.maximum(degrees, 1)))
    graph = (scale @ graph @ scale).tocsr()
    graph.sort_indices()
    held = (graph.indices.astype(np.int32), graph.indptr.astype(np.int32))
    return Graph(*map(torch.from_numpy, (*held, graph.data.astype(np.float32))))


def diffused(
    graphs: Sequence[Graph], mu: float, smoothness: float
) -> tuple[Array, Array]:
    """Return affinities that diffused over all graphs, and the graphs' weights.

    float32 (n, n), symmetric, none negative; float64 (P,), in sum 1.
    """
    n = len(graphs[0].starts) - 1
    affinity = [
        np.eye(n, min(COLUMNS, n - start), -start, np.float32)
        for start in range(0, n, COLUMNS)
    ]
    weights = np.full(len(graphs), 1 / len(graphs))
    for _ in track(range(OUTER), "diffusion", OUTER, "turns"):
        shares = shares_of(weights, mu)
        for _ in range(INNER):
            following = step(affinity, graphs, shares)
            moved, size = _moved(affinity, following)
            affinity = following
            if moved < STILL * size:
                break
        # ‖A‖² is the same in each: only differences count.
        costs = [-_across(affinity, graph) for graph in graphs]
        for _ in range(PASSES):
            weights = descended(weights, np.asarray(costs), smoothness)
    return np.concatenate(affinity, axis=1), weights


def shares_of(weights: Array, mu: float) -> Array:
    """Return how much of each graph a step takes; the rest is the identity's."""
    return np.asarray(weights / (mu + weights.sum()))


def step(affinity: Blocks, graphs: Sequence[Graph], shares: Array) -> Blocks:
    """Return Σ α T A Tᵀ + (1 - Σ α) I of symmetric A and T."""
    import torch

    n = len(affinity[0])
    result = [np.zeros_like(block) for block in affinity]
    for graph, share in zip(graphs, shares.tolist(), strict=True):
        if not share:
            continue
        half = _products(graph, affinity)

        def add(start: int, graph: Graph = graph, share: float = share,
                half: Blocks = half) -> None:  # fmt: skip
            # The product is symmetric: its lower half is enough.
            found = graph.times(_turned(half, start), start)
            own = torch.from_numpy(result[start // COLUMNS])
            own[start:].add_(found, alpha=share)

        _each_block(add, n)
    rest = np.float32(1 - shares.sum())

    def mirror(start: int) -> None:
        number = start // COLUMNS
        own = result[number]
        own[:start] = _turned(result[:number], start) if number else 0
        square = own[start : start + COLUMNS]
        square[:] = np.tril(square) + np.tril(square, -1).T
        square.flat[:: len(square) + 1] += rest

    _each_block(mirror, n)
    return result


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


def _products(graph: Graph, dense: Blocks) -> Blocks:
    """Multiply a graph and a matrix."""

    def part(start: int) -> Array:
        return np.asarray(graph.times(dense[start // COLUMNS]).numpy())

    return _each_block(part, len(dense[0]))


def _turned(blocks: Blocks, start: int) -> Array:
    """Return the block of the transpose that begins at column ``start``."""
    rows = [block[start : start + COLUMNS] for block in blocks]
    return np.ascontiguousarray(np.concatenate(rows, axis=1).T)


def _across(affinity: Blocks, graph: Graph) -> float:
    """Return ⟨A, T A Tᵀ⟩ of symmetric A and T, which is the trace of (T A)²."""
    half = _products(graph, affinity)

    def part(start: int) -> float:
        own = half[start // COLUMNS]
        return float(np.einsum("ij,ij->", own, _turned(half, start), dtype=np.float64))

    return float(sum(_each_block(part, len(affinity[0]))))


def _moved(before: Blocks, after: Blocks) -> tuple[float, float]:
    """Return how far two matrices are apart, and how large the first is (Frobenius)."""

    def part(start: int) -> list[float]:
        one, other = (each[start // COLUMNS] for each in (before, after))
        return [
            float(np.einsum("ij,ij->", each, each, dtype=np.float64))
            for each in (other - one, one)
        ]

    moved, size = np.sum(_each_block(part, len(before[0])), axis=0)
    return float(np.sqrt(moved)), float(np.sqrt(size))


def _each_block(run: Callable[[int], Any], n: int) -> list[Any]:
    return list(shared(run, range(0, n, COLUMNS)))


def shared(run: Callable[[int], Any], starts: Iterable[int]) -> Iterator[Any]:
    """Yield what a function gives of each start, in order, by all cores."""
    with ThreadPoolExecutor(os.cpu_count(), initializer=in_thread) as pool:
        yield from pool.map(run, starts)
