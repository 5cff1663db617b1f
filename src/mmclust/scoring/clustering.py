"""How well clusters agree with classes: ACC, NMI, ARI, purity and F1.

All five are functions of the contingency table, which counts the images of each
cluster (row) and class (column). They take stacks of tables, so that a thousand
resamples cost a few array operations. All lie in [0, 1] but ARI, which can be
slightly negative.

Noise (cluster -1, images that a method puts in no cluster) is the first row of a
table. It stands for no class: its images count as wrong in acc, f1 and purity. For
nmi and ari it is a cluster like any other, as scikit-learn has it.

Shapes: … any leading axes; k clusters; c classes; n images.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.scoring.matching import matched

Array = np.ndarray[Any, Any]

_ROUNDING = 1e-12
METRICS = ("acc", "nmi", "ari", "purity", "f1")


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


def acc(tables: Array, *, noise: bool = False) -> Array:
    """Clustering accuracy by one-to-one matching (Kuhn 1955; Yang et al. 2010).

    Parameters
    ----------
    tables
        (…, k, c) counts.
    noise
        Whether the first row is noise.

    Returns
    -------
    numpy.ndarray
        float64 (…): images whose cluster is matched to their class, as a share.
    """
    return _acc(tables, matched(tables, noise=noise)[0])


def f1(tables: Array, *, noise: bool = False) -> Array:
    """Mean over classes of F1 = 2 · hits / (size of class + size of its cluster).

    Each class has the cluster that :func:`acc` matches it to (of several such
    matchings, the one with the best F1); a class without one has F1 0. Classes
    without images (in a resample) do not count.

    Parameters
    ----------
    tables
        (…, k, c) counts.
    noise
        Whether the first row is noise.

    Returns
    -------
    numpy.ndarray
        float64 (…).
    """
    return _f1(tables, *matched(tables, noise=noise))


def nmi(tables: Array) -> Array:
    """Mutual information over the mean of both entropies; equals V-measure.

    Strehl and Ghosh, JMLR 3 (2002), with the arithmetic mean; Rosenberg and
    Hirschberg, V-Measure, EMNLP-CoNLL 2007.

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


def ami(table: Array) -> float:
    """Mutual information adjusted for chance, with the arithmetic mean of entropies.

    Vinh, Epps and Bailey, JMLR 11 (2010). Beside NMI, which grows with k by chance.

    Parameters
    ----------
    table
        int (k, c): counts of one run.

    Returns
    -------
    float
        At most 1; about 0 for clusters drawn at random; 1 where both are one group.
    """
    from sklearn.metrics.cluster import expected_mutual_information

    n, rows, columns = int(table.sum()), table.sum(1), table.sum(0)
    total = float(_x_log_x(table.sum()))
    cells = float(_x_log_x(table).sum())
    of_rows, of_columns = float(_x_log_x(rows).sum()), float(_x_log_x(columns).sum())
    if 2 * total - of_rows - of_columns <= _ROUNDING * max(total, 1.0):
        return 1.0
    mutual = (cells - of_rows - of_columns + total) / n
    mean = (2 * total - of_rows - of_columns) / (2 * n)
    by_chance = float(expected_mutual_information(table.astype(np.int64), n))
    apart = mean - by_chance
    if abs(apart) < _ROUNDING:  # every image by itself, in both
        return 1.0
    return min((mutual - by_chance) / apart, 1.0)


def purity(tables: Array, *, noise: bool = False) -> Array:
    """Share of images that belong to the commonest class of their cluster.

    Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, §16.3.

    Parameters
    ----------
    tables
        (…, k, c) counts.
    noise
        Whether the first row is noise.

    Returns
    -------
    numpy.ndarray
        float64 (…). Grows with k: compare at equal k only.
    """
    hits: Array = tables[..., int(noise) :, :].max(-1, initial=0).sum(-1)
    return np.asarray(hits / tables.sum((-2, -1)))


def scores(tables: Array, *, noise: bool = False) -> dict[str, Array]:
    """Compute all of :data:`METRICS` for (…, k, c) tables: float64 (…) each."""
    hits, sizes = matched(tables, noise=noise)
    return {
        "acc": _acc(tables, hits),
        "nmi": nmi(tables),
        "ari": ari(tables),
        "purity": purity(tables, noise=noise),
        "f1": _f1(tables, hits, sizes),
    }


def _acc(tables: Array, hits: Array) -> Array:
    return np.asarray(hits.sum(-1) / tables.sum((-2, -1)))


def _f1(tables: Array, hits: Array, sizes: Array) -> Array:
    classes = tables.sum(-2)
    each = 2 * hits / np.maximum(classes + sizes, 1)
    return np.asarray(each.sum(-1) / np.maximum((classes > 0).sum(-1), 1))


def _x_log_x(x: Array) -> Array:
    from scipy.special import xlogy

    return np.asarray(xlogy(x, x))


def _pairs(x: Array) -> Array:
    x = np.asarray(x, np.float64)
    return np.asarray(x * (x - 1) / 2)
