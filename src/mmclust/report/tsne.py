"""t-SNE in the plane, its repulsion summed on a mesh.

van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 2008. Affinities are of the
exact nearest neighbours, as in Barnes–Hut t-SNE (van der Maaten, JMLR 2014). Points
repel each other through a regular mesh, by interpolation and FFT, as in FIt-SNE
(Linderman et al., Nature Methods 2019). The rate of learning is n over the exaggeration
(Belkina et al., Nature Communications 2019), so that few steps are enough.

One thread, and sums in a fixed order: equal rows give equal bytes.

Shapes: n points, d dimensions, k neighbours, m pairs of neighbours.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.kernels.nearest_neighbors import nearest_by_distance

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, Any]

PERPLEXITY = 30.0
EXAGGERATION = 12.0
EXAGGERATED = 125
"""Steps with all attraction exaggerated; then :data:`STEPS` without."""
STEPS = 375
MOMENTUM = (0.5, 0.8)
"""While exaggerated, and after."""
SPACING = 1 / 3
"""Of the mesh, where a pair's repulsion has the width 1."""
NODES = 1500
"""Of the mesh's side, at most: wider maps have a wider spacing."""
FEW = 300
"""Points up to which all pairs are summed: of few, the mesh is not exact enough."""
HALVINGS = 60
"""Of the search for each point's width."""
PAIRS = 1 << 15
"""Taken at a time: they stay in the processor's cache."""


@dataclass(frozen=True)
class Affinities:
    """Pairs of neighbours, both ways, in order of their first point; they sum to 1."""

    bounds: Array  # int64 (n + 1,): where each point's pairs begin
    others: Array  # int64 (m,)
    weights: Array  # float64 (m,)


def lay_out(rows: Array, start: Array) -> Array:
    """Lay rows, float32 (n, d), out in the plane, so that neighbours stay neighbours.

    n is at least 3. Points begin at ``start``, (n, 2), of a standard deviation of about
    1e-4, and end where float64 (n, 2) says.
    """
    near = affinities(rows)
    places = start.astype(np.float64)
    moves, gains = np.zeros_like(places), np.ones_like(places)
    mesh = Mesh()
    for step in range(EXAGGERATED + STEPS):
        early = step < EXAGGERATED
        more = EXAGGERATION if early else 1.0
        few = len(places) <= FEW
        apart = repulsion_of_pairs(places) if few else repulsion(mesh, places)
        slope = more * attraction(near, places) - apart
        # Delta-bar-delta (Jacobs 1988): longer steps where the way goes on.
        gains = np.where(slope * moves > 0, gains * 0.8, gains + 0.2)
        gains = np.maximum(gains, 0.01)
        moves = MOMENTUM[not early] * moves - len(places) / more * gains * slope
        places = places + moves
    return places


def affinities(rows: Array) -> Affinities:
    """Return how near points are to their 90 nearest, each at :data:`PERPLEXITY`."""
    from scipy.sparse import csr_array

    n = len(rows)
    perplexity = min(PERPLEXITY, max(1.0, (n - 1) / 3))
    k = min(int(3 * perplexity), n - 1)
    near = nearest_by_distance(rows, k)
    shares = np.concatenate(
        [
            _shares(_squared(rows, start, near[start : start + 1024]), perplexity)
            for start in range(0, n, 1024)
        ]
    )
    directed = csr_array((shares.ravel(), near.ravel(), np.arange(n + 1) * k), (n, n))
    both = (directed + directed.T).tocsr()
    both.sort_indices()
    return Affinities(
        both.indptr.astype(np.int64),
        both.indices.astype(np.int64),
        both.data / both.data.sum(),
    )


def _squared(rows: Array, start: int, near: Array) -> Array:
    """Return squared distances of some rows to those near them: float64 (some, k)."""
    apart = rows[start : start + len(near), None].astype(np.float64) - rows[near]
    return np.asarray((apart * apart).sum(-1))


def _shares(squared: Array, perplexity: float) -> Array:
    """Return Gaussian shares (some, k) of neighbours, rows of one perplexity."""
    squared = squared - squared.min(axis=1, keepdims=True)
    wanted = np.log(perplexity)
    sharp = 1 / np.maximum(squared.mean(axis=1), 1e-12)
    low, high = np.zeros(len(sharp)), np.full(len(sharp), np.inf)
    for _ in range(HALVINGS):
        shares = np.exp(-squared * sharp[:, None])
        total = shares.sum(axis=1)
        entropy = np.log(total) + sharp * (squared * shares).sum(axis=1) / total
        wide = entropy > wanted
        low, high = np.where(wide, sharp, low), np.where(wide, high, sharp)
        sharp = np.where(np.isinf(high), sharp * 2, (low + high) / 2)
    return np.asarray(shares / total[:, None])


def attraction(near: Affinities, places: Array) -> Array:
    """Return Σ_j p_ij (y_i - y_j) / (1 + |y_i - y_j|²): float64 (n, 2)."""
    pull = np.empty_like(places)
    axes = np.ascontiguousarray(places.T)
    parts = -(-len(near.others) // PAIRS)
    cuts = np.linspace(0, len(near.others), parts + 1)
    firsts = np.unique(np.searchsorted(near.bounds, cuts))
    for first, last in itertools.pairwise(firsts):
        pairs = slice(near.bounds[first], near.bounds[last])
        counts = np.diff(near.bounds[first : last + 1])
        apart = [
            np.repeat(axis[first:last], counts) - axis[near.others[pairs]]
            for axis in axes
        ]
        force = near.weights[pairs] / (1 + apart[0] * apart[0] + apart[1] * apart[1])
        starts = near.bounds[first:last] - near.bounds[first]
        for axis in (0, 1):
            pull[first:last, axis] = np.add.reduceat(apart[axis] * force, starts)
    return pull


@dataclass
class Mesh:
    """A mesh of nodes, and transforms of what a node does to the others."""

    nodes: int = 0  # a side
    spacing: float = 0.0
    transforms: list[Array] = field(default_factory=list)

    def fit(self, extent: float) -> None:
        """Cover a map of that extent, with a node to spare around it."""
        from scipy.fft import next_fast_len, rfft2

        spacing = max(SPACING, extent / NODES)
        # Sixteen at a time, so that a growing map seldom needs another mesh.
        nodes = next_fast_len(-(-(int(extent / spacing) + 5) // 16) * 16, real=True)
        if (nodes, spacing) == (self.nodes, self.spacing):
            return
        self.nodes, self.spacing = nodes, spacing
        steps = np.arange(2 * nodes)
        # Twice as wide, so that nothing comes round from the other side.
        offsets = np.where(steps < nodes, steps, steps - 2 * nodes) * spacing
        down, across = offsets[:, None], offsets[None]
        like = 1 / (1 + down * down + across * across)
        squared = like * like
        self.transforms = [rfft2(k) for k in (like, squared * down, squared * across)]

    def fields(self, charge: Array) -> Iterator[Array]:
        """Yield what the charges at nodes do at each node, by each transform.

        As ``irfft2(rfft2(charge, wide) * transform, wide)`` in every bit, without the
        rows of zeros at first, and without those that are not looked at in the end.
        """
        from scipy.fft import fft, ifft, irfft, rfft

        wide = 2 * self.nodes
        spread = fft(rfft(charge, wide), wide, axis=0)
        for transform in self.transforms:
            rows = ifft(spread * transform, axis=0, norm="forward")[: self.nodes]
            yield irfft(rows, wide, norm="forward")[:, : self.nodes] * (1 / wide**2)


def repulsion_of_pairs(places: Array) -> Array:
    """Return Σ_j q_ij² (y_i - y_j) / Σ q, q_ij = 1 / (1 + |y_i - y_j|²): (n, 2)."""
    down, across = (axis[:, None] - axis for axis in places.T)
    like = 1 / (1 + down * down + across * across)
    total = max(float(like.sum()) - len(places), 1e-12)
    like *= like
    pushes = [(like * each).sum(axis=1) for each in (down, across)]
    return np.stack(pushes, axis=1) / total


def repulsion(mesh: Mesh, places: Array) -> Array:
    """Return nearly what :func:`repulsion_of_pairs` does: float64 (n, 2).

    Points are shared out to the 4 x 4 nodes around them by cubic
    interpolation, and what these receive is read back likewise.
    """
    n = len(places)
    places = places - places.min(axis=0)
    mesh.fit(float(places.max()))
    at = places / mesh.spacing + 1
    corner = at.astype(np.int64)
    t = at - corner
    cubic = np.stack(
        [
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        ],
        axis=-1,
    )  # (n, 2, 4)
    weights = (cubic[:, 0, :, None] * cubic[:, 1, None, :]).reshape(n, 16)
    lines = corner[:, :, None] + np.arange(-1, 3)
    nodes = (lines[:, 0, :, None] * mesh.nodes + lines[:, 1, None, :]).reshape(n, 16)
    shape = (mesh.nodes, mesh.nodes)
    charge = np.bincount(nodes.ravel(), weights.ravel(), mesh.nodes**2).reshape(shape)
    received = [
        (field.take(nodes) * weights).sum(axis=1) for field in mesh.fields(charge)
    ]
    # A point is as like itself as can be, and that does not count.
    total = max(float(received[0].sum()) - n, 1e-12)
    return np.stack(received[1:], axis=1) / total
