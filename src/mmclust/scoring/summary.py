"""The record of scores that metrics files hold: means, spreads and intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmclust.scoring.clustering import METRICS, contingency, scores
from mmclust.scoring.intervals import over_images, over_seeds

Array = np.ndarray[Any, Any]


def summarise(
    labels_true: Array,
    labels_pred: Array,
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Score one method's runs.

    Parameters
    ----------
    labels_true
        int (n,), classes 0 … c-1.
    labels_pred
        int (n_seeds, n), clusters 0 … k-1.
    n_resamples, rng
        See :func:`mmclust.scoring.intervals.over_images`.

    Returns
    -------
    dict
        ``n_samples``, ``n_classes``, ``n_clusters`` (most that occur in a run),
        ``n_seeds``, and for each metric its mean over seeds, ``<metric>_low`` and
        ``_high`` over images and, with two seeds or more, ``<metric>_std``,
        ``_seeds_low`` and ``_seeds_high``.
    """
    intervals = over_images(labels_true, labels_pred, n_resamples, rng)
    runs = per_run(labels_true, labels_pred)
    record: dict[str, Any] = {
        "n_samples": len(labels_true),
        "n_classes": int(labels_true.max()) + 1,
        "n_clusters": max(len(np.unique(row)) for row in labels_pred),
        "n_seeds": len(labels_pred),
    }
    for name in METRICS:
        values = runs[name]
        record[name] = float(values.mean())
        record[f"{name}_low"], record[f"{name}_high"] = intervals[name]
        if len(values) > 1:
            low, high = over_seeds(values)
            record[f"{name}_std"] = float(values.std(ddof=1))
            record[f"{name}_seeds_low"], record[f"{name}_seeds_high"] = low, high
    return {key: _rounded(value) for key, value in record.items()}


def per_run(labels_true: Array, labels_pred: Array) -> dict[str, Array]:
    """Score each run by itself: metric to float64 (n_seeds,)."""
    each = [scores(contingency(labels_true, row)) for row in labels_pred]
    return {name: np.array([run[name] for run in each], float) for name in METRICS}


def _rounded(value: Any) -> Any:
    """Six decimals: far below any interval, and readable in a diff."""
    return round(value, 6) if isinstance(value, float) else value
