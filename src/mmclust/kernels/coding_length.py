"""Coding length of clusters: how many nats describe rows and which cluster each is in.

The number of clusters with the smallest coding length is CPP's choice; no label is
read.

Source: Chu et al., Image Clustering via the Principle of Rate Reduction in the Age of
Pretrained Models, ICLR 2024, after Ma et al., IEEE TPAMI 29(9), 2007.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def coding_length(z: Array, labels: Array, eps: float = 0.1) -> float:
    """Sum over clusters (m + p)/2 · logdet(I + p/(ε m) ZᵀZ) - m ln(m/n), in nats.

    At least 0, and 0 where no row is left; it grows with n and p. Sums are float64.

    Parameters
    ----------
    z
        (n, p) features of any float type, in CPP at unit norm.
    labels
        int (n,); rows that are -1 are left out, and n is the number of the others.
    eps
        The precision ε to which rows are described, as CPP's code has it: not
        squared. Lengths with different ε cannot be compared.
    """
    z, labels = np.asarray(z), np.asarray(labels)
    kept = np.flatnonzero(labels >= 0)
    _, codes, sizes = np.unique(labels[kept], return_inverse=True, return_counts=True)
    groups = np.split(kept[np.argsort(codes, kind="stable")], np.cumsum(sizes)[:-1])
    return sum(_length(z[group], len(kept), eps) for group in groups)


def _length(rows: Array, n: int, eps: float) -> float:
    m, p = rows.shape
    if not m:
        return 0.0
    rows = rows.astype(np.float64)
    # The smaller of the two Gram matrices: the determinant is the same.
    gram = rows.T @ rows if p <= m else rows @ rows.T
    gram *= p / (eps * m)
    gram.flat[:: len(gram) + 1] += 1
    volume = 2 * np.log(np.linalg.cholesky(gram).diagonal()).sum()
    return float((m + p) / 2 * volume - m * np.log(m / n))
