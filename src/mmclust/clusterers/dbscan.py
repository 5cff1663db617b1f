"""DBSCAN: clusters are what is densely connected; the rest is noise (Ester 1996).

The defaults are those of the text-guided course protocol: eps 0.5, min_samples 10,
Euclidean distance. On rows at unit norm a distance of 0.5 is a cosine of 0.875.

Every two rows are compared once, a block at a time, and what is near is used at once:
memory grows with n, whatever the radius holds. Labels are scikit-learn's: clusters by
their first core, and a row at the edge of several in the first of them.

Source: Ester et al., A Density-Based Algorithm for Discovering Clusters, KDD 1996.

Shapes: n rows; d features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.clusterers._graph import require_comparable
from mmclust.core.params import Positive, PositiveFloat  # noqa: TC001
from mmclust.kernels.nearest_centroids import exact_scores, rounding

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, Any]

DETERMINISTIC = True
FINDS_K = True

_NUMBERS = 1 << 24
"""Distances held at once: 64 MiB."""


@dataclass(frozen=True)
class Params:
    """Radius, and rows within it (itself included) that make a row a core."""

    eps: PositiveFloat = 0.5
    """Radius of a neighbourhood: Euclidean distance of rows at unit norm."""
    min_samples: Positive = 10
    """Rows within it (itself included) that make a row a core."""


def fit_predict(
    features: Array, n_clusters: int, params: Params, *, seed: int
) -> Array:
    """Cluster float32 (n, d) into int32 (n,); -1 is noise; k is not used."""
    del seed, n_clusters
    require_comparable(features, "DBSCAN", cost=0.5)
    rows = np.ascontiguousarray(features, np.float32)
    n = len(rows)
    sizes = np.ones(n, np.int64)  # a row is its own neighbour
    component = np.arange(n)
    waiting = [np.zeros((2, 0), np.int64)]
    for i, j in _near(rows, params.eps):
        sizes += np.bincount(i, minlength=n)
        sizes += np.bincount(j, minlength=n)
        # Who is no core by now has few neighbours so far, and its pairs can wait.
        core = sizes >= params.min_samples
        both = core[i] & core[j]
        component = _joined(component, i[both], j[both])
        waiting.append(np.stack([i[~both], j[~both]]))
    core = sizes >= params.min_samples
    i, j = np.concatenate(waiting, axis=1)
    both = core[i] & core[j]
    component = _joined(component, i[both], j[both])
    return _labels(component, core, i[~both], j[~both])


def _near(rows: Array, eps: float) -> Iterator[tuple[Array, Array]]:
    """Yield all pairs within the radius, i < j, of some rows i after others.

    Where rounding may put a pair on either side, its distance is computed again.
    """
    n, d = rows.shape
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    lengths = np.sqrt(squares)
    off = 3 * rounding(d, (lengths + lengths.max(initial=0)) ** 2, np.float32)
    half = (squares / 2).astype(np.float32)
    size = max(_NUMBERS // max(n, 1), 1)
    for start in range(0, n, size):
        part = slice(start, start + size)
        scores = rows[part] @ rows[start:].T
        scores -= half[start:]
        bar = (squares[part] - eps**2) / 2
        close = ~(scores < (bar - off[part]).astype(np.float32)[:, None])
        i, j = np.divmod(np.flatnonzero(close), close.shape[1])
        later = i < j
        i, j = i[later], j[later]
        kept = scores[i, j] > (bar + off[part])[i]
        i, j = i + start, j + start
        open_ = np.flatnonzero(~kept)
        near = exact_scores(rows, i[open_], rows, j[open_], apart=True)
        kept[open_] = near >= -(eps**2)
        yield i[kept], j[kept]


def _joined(component: Array, i: Array, j: Array) -> Array:
    """Return the component of each row, int (n,), with some pairs joined."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    a, b = component[i], component[j]
    apart = a != b
    a, b = a[apart], b[apart]
    if not len(a):
        return component
    n = len(component)
    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    found: Array = connected_components(graph, directed=False)[1]
    return np.asarray(found[component])


def _labels(component: Array, core: Array, i: Array, j: Array) -> Array:
    """Give clusters numbers by their first core: int32 (n,).

    ``i``, ``j`` are pairs within the radius of which one at most is a core.
    """
    n = len(core)
    _, first, own = np.unique(component[core], return_index=True, return_inverse=True)
    labels = np.full(n, len(first), np.int64)
    labels[core] = np.argsort(np.argsort(first))[own]
    inner, outer = np.concatenate([i, j]), np.concatenate([j, i])
    some = core[inner]
    np.minimum.at(labels, outer[some], labels[inner[some]])
    labels[labels == len(first)] = -1
    return labels.astype(np.int32)
