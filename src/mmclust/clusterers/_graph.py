"""Neighbour graphs, and the eigenvectors that spectral methods cluster.

Shapes: n rows; k eigenvectors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.seeds import generator
from mmclust.kernels.nearest_neighbors import nearest_neighbors

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, Any]

DENSE = 1000
"""Rows up to which eigenvectors come from a dense solver: exact, and faster there."""


def neighbour_graph(features: Array, n_neighbors: int) -> Any:
    """Return the graph of nearest neighbours, made symmetric.

    Parameters
    ----------
    features
        float32 (n, d), rows at unit norm, where Euclidean and cosine order agree.
    n_neighbors
        Of each row, without itself; n - 1 at most.

    Returns
    -------
    scipy.sparse.csr_array
        (n, n), float64: 1 where both rows have each other among their neighbours,
        ½ where one has (as in scikit-learn's spectral clustering).
    """
    from scipy.sparse import csr_array

    n = len(features)
    wanted = min(n_neighbors, n - 1)
    columns = nearest_neighbors(features, wanted).ravel()
    rows = np.repeat(np.arange(n), wanted)
    one_way = csr_array((np.ones(n * wanted), (rows, columns)), shape=(n, n))
    return csr_array((one_way + one_way.T) / 2)


def normalised_affinity(graph: Any) -> Any:
    """Return D^-½ W D^-½ of a graph W with degrees D."""
    from scipy.sparse import diags_array

    degrees = np.asarray(graph.sum(axis=1)).ravel()
    scale = diags_array(1 / np.sqrt(np.maximum(degrees, 1e-12)))
    return (scale @ graph @ scale).tocsr()


def leading(
    affinity: Any, k: int, *, seed: int, bases: Sequence[Array] = (), weight: float = 0
) -> Array:
    """Return the k leading eigenvectors of affinity + weight · Σ U Uᵀ.

    Parameters
    ----------
    affinity
        Sparse symmetric (n, n).
    k
        How many; n at most.
    seed
        Of the solver's start.
    bases, weight
        Each U is (n, k); no dense (n, n) array is made of them when n is large.

    Returns
    -------
    numpy.ndarray
        float64 (n, k), orthonormal columns, largest eigenvalue first; the largest
        entry of each is positive.
    """
    n = affinity.shape[0]
    if n <= DENSE or k >= n - 1:
        from scipy.linalg import eigh

        dense = affinity.toarray() + weight * sum(u @ u.T for u in bases)
        vectors = eigh(dense, subset_by_index=(max(n - k, 0), n - 1))[1]
    else:
        from scipy.sparse.linalg import LinearOperator, eigsh

        def apply(x: Array) -> Array:
            return np.asarray(affinity @ x + weight * sum(u @ (u.T @ x) for u in bases))

        operator = LinearOperator((n, n), matvec=apply, matmat=apply, dtype=np.float64)
        start = generator(seed, "eigenvectors").standard_normal(n)
        vectors = eigsh(operator, k, which="LA", v0=start, tol=1e-6)[1]
    vectors = vectors[:, ::-1]
    # A sign is free; fixing it keeps the rows, and so k-means, the same anywhere.
    largest = np.abs(vectors).argmax(axis=0)
    return np.asarray(vectors * np.sign(vectors[largest, np.arange(k)]))
