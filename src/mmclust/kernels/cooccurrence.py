"""Co-occurrence of words in captions, without a dense table.

Berger et al. (NAACL 2022) add 1 to M[w, w] for every occurrence of a word w, and 1 to
M[a, b] and M[b, a] for every two places of a caption. With n_c(w) occurrences of w in
caption c that is M[a, b] = Σ_c n_c(a) n_c(b), also for a = b: n + n (n − 1) = n². So M
is Xᵀ X of the table X of captions and words, which is sparse.

Shapes: c captions; v words; t tokens; n words of a list.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.numerics import threads

Array = np.ndarray[Any, Any]

FEW = 2_000
"""Words up to which vectors are turned into as many coordinates as words."""


def occurrences(ids: Array, bounds: Array, n_words: int) -> Any:
    """Count each word in each caption: sparse float64 (c, v).

    ``ids``, int (t,), is the word of each token, caption after caption; ``bounds``, int
    (c + 1,), says where captions begin and end.
    """
    from scipy.sparse import csr_matrix

    shape = (len(bounds) - 1, n_words)
    # Copied, since repeated words of a caption are summed in place.
    table = csr_matrix((np.ones(len(ids)), ids, bounds), shape=shape, copy=True)
    table.sum_duplicates()
    return table


def vectors(table: Any, rows: Array) -> Any:
    """Return rows of M at unit norm: sparse float64 (n, v).

    ``table`` is what :func:`occurrences` gives, ``rows``, int (n,), are words; one that
    never occurs has zeros.
    """
    from scipy.sparse import diags

    counts = (table[:, rows].T @ table).tocsr()
    norms = np.sqrt(counts.multiply(counts).sum(1)).A1
    return diags(1 / np.where(norms > 0, norms, 1)) @ counts


def coordinates(rows: Any) -> Array:
    """Return points with the distances of sparse rows: float32 (n, at most v).

    They have as few dimensions as there are words.
    """
    if rows.shape[0] > min(FEW, rows.shape[1]):
        return np.asarray(rows.toarray(), np.float32)
    # One thread: sums in another order would be other coordinates.
    with threads(1):
        values, axes = np.linalg.eigh((rows @ rows.T).toarray())
    return np.asarray(axes * np.sqrt(np.maximum(values, 0)), np.float32)
