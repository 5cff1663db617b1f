"""How well clusters agree with classes: ACC, NMI, ARI and purity.

All four are functions of the contingency table, which counts the images of each
cluster (row) and class (column). They take stacks of tables, so that a thousand
resamples cost a few array operations. All lie in [0, 1] but ARI, which can be
slightly negative.

Shapes: … any leading axes; k clusters; c classes; n images.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError

Array = np.ndarray[Any, Any]

DEFINITION = (
    "mmclust clustering scores, version 1: acc by one-to-one Hungarian matching of "
    "clusters and classes (clusters without a class count as wrong); nmi with the "
    "arithmetic mean of entropies (equals V-measure); ari by Hubert and Arabie 1985; "
    "purity by the commonest class of each cluster"
)
METRICS = ("acc", "nmi", "ari", "purity")


def contingency(labels_true: Array, labels_pred: Array) -> Array:
    """Count the images of each cluster and class.

    Parameters
    ----------
    labels_true, labels_pred
        (n,) of any kind of label.

    Returns
    -------
    numpy.ndarray
        int64 (k, c): the clusters and classes that occur, in sorted order.

    Raises
    ------
    MmclustError
        When the two differ in length or are empty.
    """
    if len(labels_true) != len(labels_pred) or not len(labels_true):
        raise MmclustError(
            "Classes and clusters must be of the same images",
            expected=f"{len(labels_true)} clusters, at least one",
            found=len(labels_pred),
        )
    _, classes = np.unique(labels_true, return_inverse=True)
    _, clusters = np.unique(labels_pred, return_inverse=True)
    shape = (int(clusters.max()) + 1, int(classes.max()) + 1)
    cells = clusters * shape[1] + classes
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


def matching(table: Array) -> Array:
    """Match clusters to classes, one to one, so that most images agree.

    Parameters
    ----------
    table
        (k, c) counts; k and c may differ.

    Returns
    -------
    numpy.ndarray
        int64 (k,): the class of each cluster; -1 for clusters left over, and for
        those that hold no image of the class that was left for them.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(table, maximize=True)
    matched = np.full(len(table), -1)
    matched[rows] = np.where(table[rows, columns] > 0, columns, -1)
    return matched


def acc(tables: Array) -> Array:
    """Clustering accuracy by one-to-one matching (Kuhn 1955; Yang et al. 2010).

    Parameters
    ----------
    tables
        (…, k, c) counts.

    Returns
    -------
    numpy.ndarray
        float64 (…): images whose cluster is matched to their class, as a share.
    """
    from scipy.optimize import linear_sum_assignment

    flat = tables.reshape(-1, *tables.shape[-2:])
    hits = np.empty(len(flat))
    for i, table in enumerate(flat):
        rows, columns = linear_sum_assignment(table, maximize=True)
        hits[i] = table[rows, columns].sum()
    return np.asarray(hits.reshape(tables.shape[:-2]) / tables.sum((-2, -1)))


def nmi(tables: Array) -> Array:
    """Mutual information over the mean of both entropies; equals V-measure.

    Parameters
    ----------
    tables
        (…, k, c) counts.

    Returns
    -------
    numpy.ndarray
        float64 (…); 1 where there is one cluster and one class.
    """
    n = tables.sum((-2, -1))
    # In counts: Σ x log x over cells, rows and columns (Rosenberg & Hirschberg 2007).
    cells = _x_log_x(tables).sum((-2, -1))
    rows = _x_log_x(tables.sum(-1)).sum(-1)
    columns = _x_log_x(tables.sum(-2)).sum(-1)
    total = _x_log_x(n)
    mutual = cells - rows - columns + total
    entropies = 2 * total - rows - columns
    certain = entropies <= 1e-12 * np.maximum(total, 1)
    score = 2 * mutual / np.where(certain, 1, entropies)
    return np.where(certain, 1.0, np.clip(score, 0, 1))


def ari(tables: Array) -> Array:
    """Rand index of pairs, adjusted for chance (Hubert & Arabie 1985).

    Parameters
    ----------
    tables
        (…, k, c) counts.

    Returns
    -------
    numpy.ndarray
        float64 (…); 1 where both partitions are trivial in the same way.
    """
    both = _pairs(tables).sum((-2, -1))
    rows = _pairs(tables.sum(-1)).sum(-1)
    columns = _pairs(tables.sum(-2)).sum(-1)
    every = np.maximum(_pairs(tables.sum((-2, -1))), 1)
    expected = rows * columns / every
    spread = (rows + columns) / 2 - expected
    trivial = spread == 0
    score = (both - expected) / np.where(trivial, 1, spread)
    return np.where(trivial, 1.0, score)


def purity(tables: Array) -> Array:
    """Share of images that belong to the commonest class of their cluster.

    Parameters
    ----------
    tables
        (…, k, c) counts.

    Returns
    -------
    numpy.ndarray
        float64 (…). Grows with k: compare at equal k only.
    """
    hits: Array = tables.max(-1).sum(-1)
    return np.asarray(hits / tables.sum((-2, -1)))


def scores(tables: Array) -> dict[str, Array]:
    """Compute all of :data:`METRICS` for (…, k, c) tables: float64 (…) each."""
    functions = (acc, nmi, ari, purity)
    return {f.__name__: f(tables) for f in functions}


def _x_log_x(x: Array) -> Array:
    from scipy.special import xlogy

    return np.asarray(xlogy(x, x))


def _pairs(x: Array) -> Array:
    x = np.asarray(x, np.float64)
    return np.asarray(x * (x - 1) / 2)
