"""Which cluster stands for which class: the Hungarian method on contingency tables.

Shapes: … any leading axes; k clusters; c classes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def matching(table: Array, *, noise: bool = False) -> Array:
    """Match clusters to classes, one to one, so that most images agree.

    Parameters
    ----------
    table
        (k, c) counts; k and c may differ.
    noise
        Whether the first row is noise, which is matched to nothing.

    Returns
    -------
    numpy.ndarray
        int64 (k,): the class of each cluster; -1 for clusters left over, and for
        those that hold no image of the class that was left for them.
    """
    from scipy.optimize import linear_sum_assignment

    first = int(noise)
    weights = _weights(table[first:], table.sum(0))
    rows, columns = linear_sum_assignment(weights, maximize=True)
    matched = np.full(len(table), -1)
    rows += first
    matched[rows] = np.where(table[rows, columns] > 0, columns, -1)
    return matched


def matched(tables: Array, *, noise: bool) -> tuple[Array, Array]:
    """Match clusters to classes in each table, as :func:`matching` does in one.

    Parameters
    ----------
    tables
        (…, k, c) counts.
    noise
        Whether the first row is noise.

    Returns
    -------
    hits, sizes
        int64 (…, c): images of each class in the cluster matched to it, and size
        of that cluster; 0 for a class without one.
    """
    from scipy.optimize import linear_sum_assignment

    clusters = tables[..., int(noise) :, :]
    n_tables = math.prod(tables.shape[:-2])
    flat = clusters.reshape(n_tables, *clusters.shape[-2:])
    of_class = tables.sum(-2).reshape(n_tables, 1, -1)
    weights = _weights(flat, of_class)
    hits = np.zeros((n_tables, flat.shape[-1]), np.int64)
    sizes = np.zeros_like(hits)
    of_cluster = flat.sum(-1)
    for i, table in enumerate(flat):
        rows, columns = linear_sum_assignment(weights[i], maximize=True)
        hits[i, columns] = table[rows, columns]
        sizes[i, columns] = of_cluster[i, rows]
    shape = (*tables.shape[:-2], tables.shape[-1])
    return hits.reshape(shape), sizes.reshape(shape)


def _weights(tables: Array, of_class: Array) -> Array:
    """Return what the matching maximises: images and, among equals, F1.

    The F1 of all pairs together weighs less than one image, so that it decides only
    where several matchings have the same accuracy: f1 would depend on the order of
    the clusters otherwise.
    """
    either = np.maximum(tables.sum(-1, keepdims=True) + of_class, 1)
    return np.asarray(tables + (2 * tables / either) / (tables.shape[-1] + 1))
