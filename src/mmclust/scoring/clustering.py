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

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.scoring.intervals import Sampled, flat, flat_differences
from mmclust.scoring.record import rounded

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, Any]
Figures = dict[str, Any]
"""See :mod:`mmclust.scoring.intervals`."""

METRICS = ("acc", "nmi", "ari", "purity", "f1")
COUNTED = ("n_clusters", "largest", "smallest", "noise", "n_samples", "n_classes")
_ROUNDING = 1e-12
_CELLS = 1_000_000
"""Table cells held at once: 8 MB, more of them leave the processor's cache."""
_DRAWN = 4_000_000
"""Images of resamples held at once, 16 MB."""


def score_runs(
    labels_true: Array,
    labels_pred: Array,
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> Figures:
    """Score one method's runs.

    Parameters
    ----------
    labels_true
        int (n,), classes 0 … c-1.
    labels_pred
        int (n_seeds, n), clusters 0 … k-1; -1 is noise.
    n_resamples, rng
        Of the bootstrap over images. Equal generators draw equal resamples, so that
        methods are paired.

    Returns
    -------
    dict
        :data:`METRICS`, sampled; ``ami``, without resamples; and :data:`COUNTED`:
        ``n_clusters`` (that hold an image), ``largest`` and ``smallest`` (share of the
        images in the largest and smallest of these) and ``noise`` (share of those in
        none) are means over seeds.
    """
    n = len(labels_true)
    runs = per_run(labels_true, labels_pred)
    resampled = _resampled(labels_true, labels_pred, n_resamples, rng)
    sizes = [np.unique(row[row >= 0], return_counts=True)[1] for row in labels_pred]
    chance = [ami(contingency(labels_true, row)) for row in labels_pred]
    return {
        name: Sampled(
            runs[name], resampled[name], n, limits=(-1.0 if name == "ari" else 0.0, 1.0)
        )
        for name in METRICS
    } | {
        "ami": Sampled(np.array(chance), None, n),
        "n_clusters": float(np.mean([len(each) for each in sizes])),
        "largest": float(np.mean([each.max(initial=0) for each in sizes])) / n,
        "smallest": float(np.mean([min(each, default=0) for each in sizes])) / n,
        "noise": float((labels_pred < 0).mean()),
        "n_samples": n,
        "n_classes": int(labels_true.max()) + 1,
    }


def per_run(labels_true: Array, labels_pred: Array) -> dict[str, Array]:
    """Score each run by itself: metric to float64 (n_seeds,)."""
    each = [
        scores(contingency(labels_true, row), noise=bool((row < 0).any()))
        for row in labels_pred
    ]
    return {name: np.array([run[name] for run in each], float) for name in METRICS}


def summarise(figures: Figures, baseline: Figures | None = None) -> dict[str, Any]:
    """Return the flat record that commands for files of one's own write.

    What is counted, then for each metric its mean over seeds, ``<metric>_low`` and
    ``_high`` (95 %, of images and seeds together) and, with two seeds or more,
    ``<metric>_std`` of one seed. With a baseline on the same resamples also what
    :func:`mmclust.scoring.intervals.flat_differences` gives.
    """
    adjusted = figures["ami"]
    record = {name: figures[name] for name in ("n_samples", "n_classes")}
    record["n_seeds"] = len(adjusted.runs)
    record |= {name: figures[name] for name in COUNTED[:4]}
    record["ami"] = adjusted.mean
    if adjusted.sd is not None:
        record["ami_std"] = adjusted.sd
    for name in METRICS:
        one = {name: figures[name]}
        record |= flat(one) | flat_differences(one, baseline or {})
    return {key: rounded(value) for key, value in record.items()}


def _resampled(
    labels_true: Array, labels_pred: Array, n_resamples: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Score resampled images anew, matching included: float64 (n_resamples, n_seeds).

    Images are drawn with replacement, the same ones for every seed.
    """
    # Noise, if any, is row 0: scores() is told so. Without any it is an empty row.
    shape = (int(labels_pred.max()) + 2, int(labels_true.max()) + 1)
    cells = (labels_pred.astype(np.int64) + 1) * shape[1] + labels_true
    drawn = resampled_tables(cells, shape, n_resamples, rng)
    parts = [scores(tables, noise=True) for tables in drawn]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def resampled_tables(
    cells: Array, shape: tuple[int, int], n_resamples: int, rng: np.random.Generator
) -> Iterator[Array]:
    """Yield tables of resampled images: int64 (some resamples, n_seeds, k, c).

    ``cells`` are int64 (n_seeds, n): the cell of its run's table that each image is in.
    """
    from scipy.sparse import csr_array

    n_seeds, n = cells.shape
    size = shape[0] * shape[1]
    # How often each image is drawn, times where it counts: whole numbers, so exact.
    places = (cells + size * np.arange(n_seeds)[:, None]).ravel()
    ones, images = np.ones(n_seeds * n, np.int32), np.tile(np.arange(n), n_seeds)
    counted = csr_array((ones, (places, images)), (n_seeds * size, n))
    limit = max(1, min(_CELLS // (n_seeds * size), _DRAWN // max(n, 1)))
    for start in range(0, n_resamples, limit):
        drawn = [
            np.bincount(rng.integers(n, size=n), minlength=n).astype(np.int32)
            for _ in range(min(limit, n_resamples - start))
        ]
        tables = counted @ np.stack(drawn, axis=1)
        yield tables.T.reshape(-1, n_seeds, *shape).astype(np.int64)


def contingency(labels_true: Array, labels_pred: Array) -> Array:
    """Count the images of each cluster and class: int64 (k, c).

    Labels are (n,), of any kind; those that occur come in sorted order.
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


def scores(tables: Array, *, noise: bool = False) -> dict[str, Array]:
    """Compute all of :data:`METRICS`.

    - ``acc``: images whose cluster is matched to their class, one to one (Kuhn 1955;
      Yang et al. 2010), as a share.
    - ``purity``: share of images that belong to the commonest class of their cluster
      (Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008,
      §16.3). Grows with k: compare at equal k only.
    - ``f1``: mean over classes of 2 · hits / (size of class + size of its cluster).
      Each class has the cluster that acc matches it to (of several such matchings, the
      one with the best F1); a class without one has 0. Classes without images (in a
      resample) do not count.

    Parameters
    ----------
    tables
        int (…, k, c) counts.
    noise
        Whether the first row is noise.

    Returns
    -------
    dict
        Metric to float64 (…).
    """
    hits, sizes = _matched(tables, noise=noise)
    n, classes = tables.sum((-2, -1)), tables.sum(-2)
    of_class = 2 * hits / np.maximum(classes + sizes, 1)
    commonest = tables[..., int(noise) :, :].max(-1, initial=0)
    return {
        "acc": hits.sum(-1) / n,
        "nmi": nmi(tables),
        "ari": ari(tables),
        "purity": commonest.sum(-1) / n,
        "f1": of_class.sum(-1) / np.maximum((classes > 0).sum(-1), 1),
    }


def nmi(tables: Array) -> Array:
    """Mutual information over the mean of both entropies, of (…, k, c) counts.

    Strehl and Ghosh, JMLR 3 (2002), with the arithmetic mean; equals Rosenberg and
    Hirschberg's V-measure (EMNLP-CoNLL 2007). 1 for one cluster and one class.
    """
    n = tables.sum((-2, -1))
    # In counts: Σ x log x over cells, rows and columns.
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
    """Rand index of pairs, adjusted for chance (Hubert & Arabie 1985), of (…, k, c).

    1 where both partitions are trivial in the same way.
    """
    rows_of, n = tables.sum(-1), tables.sum((-2, -1))
    # Whole numbers: as exact as pairs counted cell by cell, and quicker.
    both = (np.einsum("...ij,...ij->...", tables, tables) - n) / 2
    rows = _pairs(rows_of).sum(-1)
    columns = _pairs(tables.sum(-2)).sum(-1)
    every = np.maximum(_pairs(n), 1)
    expected = rows * columns / every
    spread = (rows + columns) / 2 - expected
    trivial = spread == 0
    score = (both - expected) / np.where(trivial, 1, spread)
    return np.where(trivial, 1.0, score)


def ami(table: Array) -> float:
    """Mutual information adjusted for chance, with the arithmetic mean of entropies.

    Vinh, Epps and Bailey, JMLR 11 (2010). Beside NMI, which grows with k by chance. Of
    one run's table; about 0 for random clusters, 1 where both are one group.
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


def _x_log_x(counts: Array) -> Array:
    """Return x log x of whole numbers, computed once for each where they repeat."""
    from scipy.special import xlogy

    largest = int(counts.max(initial=0))
    if largest >= counts.size:
        return np.asarray(xlogy(counts, counts))
    known = np.arange(largest + 1)
    return np.asarray(xlogy(known, known)[counts])


def _pairs(x: Array) -> Array:
    x = np.asarray(x, np.float64)
    return np.asarray(x * (x - 1) / 2)


def matching(table: Array, *, noise: bool = False) -> Array:
    """Match clusters to classes, one to one, so that most images agree.

    Of (k, c) counts the class of each cluster, int64 (k,); -1 for noise, for clusters
    left over, and for those that hold no image of the class that was left for them.
    """
    from scipy.optimize import linear_sum_assignment

    first = int(noise)
    weights = _weights(table[first:], table.sum(0))
    rows, columns = linear_sum_assignment(weights, maximize=True)
    matched = np.full(len(table), -1)
    rows += first
    matched[rows] = np.where(table[rows, columns] > 0, columns, -1)
    return matched


def _matched(tables: Array, *, noise: bool) -> tuple[Array, Array]:
    """Match clusters to classes in each table, as :func:`matching` does in one.

    Returns int64 (…, c) twice: images of each class in the cluster matched to it, and
    size of that cluster; 0 for a class without one.
    """
    from scipy.optimize import linear_sum_assignment

    clusters = tables[..., int(noise) :, :]
    n_tables = math.prod(tables.shape[:-2])
    each = clusters.reshape(n_tables, *clusters.shape[-2:])
    weights = _weights(each, tables.sum(-2).reshape(n_tables, 1, -1))
    hits = np.zeros((n_tables, tables.shape[-1]), np.int64)
    sizes = np.zeros_like(hits)
    if n_tables:
        found = [linear_sum_assignment(one, maximize=True) for one in weights]
        rows, columns = np.stack(found, axis=1)
        at = np.arange(n_tables)[:, None]
        hits[at, columns] = each[at, rows, columns]
        sizes[at, columns] = each.sum(-1)[at, rows]
    shape = (*tables.shape[:-2], tables.shape[-1])
    return hits.reshape(shape), sizes.reshape(shape)


def _weights(tables: Array, of_class: Array) -> Array:
    """Return what the matching maximises: images and, among equals, F1.

    The F1 of all pairs together weighs less than one image, so that it decides only
    where several matchings have the same accuracy: f1 would depend on the order of
    the clusters otherwise.
    """
    weights = 2.0 * tables
    weights /= np.maximum(tables.sum(-1, keepdims=True) + of_class, 1)
    weights /= tables.shape[-1] + 1
    weights += tables
    return weights
