"""Neighbour graphs, and the eigenvectors that spectral methods cluster.

Shapes: n rows; k eigenvectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.seeds import generator
from mmclust.kernels.nearest_neighbors import nearest_neighbors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = np.ndarray[Any, Any]

DENSE = 1000
"""Rows up to which eigenvectors come from a dense solver: exact, and faster there."""
_TOLERANCE = 1e-6
"""Of eigenvalues, which lie between -1 and 1 (co-regularised: a little above)."""
_LOOSE = 1e-3
"""Of the search for one that was missed."""
_AWAY = 3.0
"""Subtracted from eigenvalues that are known, which puts them below all others."""
_MOST = 1 << 46
"""Products of two numbers that comparing rows may take: half an hour on one core."""


def require_comparable(features: Array, method: str, cost: float = 1) -> None:
    """Refuse more rows than can be compared two by two, before hours are spent.

    ``cost``: of a pair, beside that of a product of all rows with all.
    """
    n, d = features.shape
    if cost * n * n * d > _MOST:
        raise MmclustError(
            f"{method} compares every two rows, which would take hours",
            expected=f"at most {int((_MOST / cost / d) ** 0.5):,} rows of {d:,} "
            "features",
            found=f"{n:,} rows",
            do="take minibatch_kmeans, or cluster fewer rows",
        )


def neighbour_graph(features: Array, n_neighbors: int) -> Any:
    """Return the graph of nearest neighbours, made symmetric: csr (n, n), float64.

    Rows are at unit norm, where Euclidean and cosine order agree. An edge is 1 where
    both rows have each other among their neighbours, ½ where one has (as in
    scikit-learn's spectral clustering).
    """
    from scipy.sparse import csr_array

    require_comparable(features, "A graph of nearest neighbours")
    n = len(features)
    wanted = min(n_neighbors, n - 1)
    columns = nearest_neighbors(features, wanted).ravel()
    rows = np.repeat(np.arange(n), wanted)
    one_way = csr_array((np.ones(n * wanted), (rows, columns)), shape=(n, n))
    return csr_array((one_way + one_way.T) / 2)


def normalised_affinity(graph: Any) -> Any:
    """Return D^-½ W D^-½ of a graph W with degrees D."""
    from scipy.sparse import diags_array

    scale = diags_array(1 / np.sqrt(_degrees(graph)))
    return (scale @ graph @ scale).tocsr()


def components(graph: Any) -> Array:
    """Return the leading eigenvectors that are known beforehand: float64 (n, c).

    A graph in c components that nothing joins has the eigenvalue 1 c times; what is
    iterative may miss copies of it, and they are what tells the components apart. They
    are orthonormal, the largest component first.
    """
    from scipy.sparse.csgraph import connected_components

    count, of = connected_components(graph, directed=False)
    degrees = _degrees(graph)
    sizes = np.bincount(of, weights=degrees)
    place = np.argsort(np.argsort(-sizes, kind="stable"))
    vectors = np.zeros((len(of), count))
    vectors[np.arange(len(of)), place[of]] = np.sqrt(degrees / sizes[of])
    return vectors


def _degrees(graph: Any) -> Array:
    return np.asarray(np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12))


def leading(
    affinity: Any,
    k: int,
    *,
    seed: int,
    known: Array | None = None,
    bases: Sequence[Array] = (),
    weight: float = 0,
) -> Array:
    """Return the k leading eigenvectors of affinity + weight · Σ U Uᵀ, each U (n, k).

    float64 (n, k), orthonormal, largest eigenvalue first; the largest entry of each is
    positive. ``known``, without bases, is what :func:`components` gives. When n is
    large no dense (n, n) array is made of the bases.
    """
    n = affinity.shape[0]
    if known is not None and known.shape[1] >= k:
        vectors = known[:, :k][:, ::-1]
    elif n <= DENSE or k >= n - 1:
        from scipy.linalg import eigh

        dense = affinity.toarray() + weight * sum(u @ u.T for u in bases)
        vectors = eigh(dense, subset_by_index=(max(n - k, 0), n - 1))[1]
    else:

        def apply(x: Array) -> Array:
            return np.asarray(affinity @ x + weight * sum(u @ (u.T @ x) for u in bases))

        vectors = _iterative(apply, n, k, seed, known)
    vectors = vectors[:, ::-1]
    # A sign is free; fixing it keeps the rows, and so k-means, the same anywhere.
    largest = np.abs(vectors).argmax(axis=0)
    return np.asarray(vectors * np.sign(vectors[largest, np.arange(k)]))


def _iterative(
    apply: Callable[[Array], Array], n: int, k: int, seed: int, known: Array | None
) -> Array:
    """Return the k leading eigenvectors, ascending, of a large symmetric operator.

    Lanczos' method may miss copies of a repeated eigenvalue. Those of a graph are
    given; else what was found is moved out of the way until nothing larger turns up.
    """
    from scipy.sparse.linalg import LinearOperator, eigsh

    starts = generator(seed, "eigenvectors")

    def solve(
        wanted: int, found: Array, tol: float = _TOLERANCE
    ) -> tuple[Array, Array]:
        def moved(x: Array) -> Array:
            return np.asarray(apply(x) - _AWAY * (found @ (found.T @ x)))

        operator = LinearOperator((n, n), matvec=moved, matmat=moved, dtype=np.float64)
        start = starts.standard_normal(n)
        pairs: tuple[Array, Array] = eigsh(
            operator, wanted, which="LA", v0=start, tol=tol
        )
        return pairs

    if known is not None:
        rest = solve(k - known.shape[1], known)[1]
        return np.asarray(np.hstack([rest, known[:, ::-1]]))
    values, vectors = solve(k, np.zeros((n, 0)))
    while solve(1, vectors, _LOOSE)[0][0] > values[0] + _LOOSE:
        basis = np.linalg.qr(np.hstack([vectors, solve(k, vectors)[1]]))[0]
        values, turn = np.linalg.eigh(basis.T @ apply(basis))
        values, vectors = values[-k:], basis @ turn[:, -k:]
    return np.asarray(vectors)
