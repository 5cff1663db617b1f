"""The record of scores that metrics files hold: means, spreads and intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.scoring.clustering import METRICS, contingency, scores
from mmclust.scoring.intervals import difference, over_images, over_seeds, resample

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scored:
    """One method's scores, run by run and resample by resample.

    Parameters
    ----------
    runs
        Metric to float64 (n_seeds,).
    resampled
        Metric to float64 (n_resamples,); equal generators make them comparable.
    counts
        What goes first in the record: numbers of images, classes, clusters, seeds,
        and the share of noise.
    """

    runs: dict[str, Array]
    resampled: dict[str, Array]
    counts: dict[str, Any]


def score_runs(
    labels_true: Array,
    labels_pred: Array,
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> Scored:
    """Score one method's runs.

    Parameters
    ----------
    labels_true
        int (n,), classes 0 … c-1.
    labels_pred
        int (n_seeds, n), clusters 0 … k-1; -1 is noise.
    n_resamples, rng
        See :func:`mmclust.scoring.intervals.resample`.
    """
    counts = {
        "n_samples": len(labels_true),
        "n_classes": int(labels_true.max()) + 1,
        "n_clusters": max(len(np.unique(row[row >= 0])) for row in labels_pred),
        "n_seeds": len(labels_pred),
        "noise": float((labels_pred < 0).mean()),
    }
    runs = per_run(labels_true, labels_pred)
    return Scored(runs, resample(labels_true, labels_pred, n_resamples, rng), counts)


def summarise(scored: Scored, baseline: Scored | None = None) -> dict[str, Any]:
    """Return the record of one method.

    Parameters
    ----------
    scored
        Of the method.
    baseline
        Of what it is compared with, on the same resamples.

    Returns
    -------
    dict
        ``n_samples``, ``n_classes``, ``n_clusters`` (most that occur in a run,
        noise aside), ``n_seeds``, ``noise`` (share of images in no cluster, mean
        over seeds), and for each metric its mean over seeds, ``<metric>_low`` and
        ``_high`` over images and, with two seeds or more, ``<metric>_std``,
        ``_seeds_low`` and ``_seeds_high``. With a baseline, ``<metric>_diff`` and
        what else :func:`mmclust.scoring.intervals.difference` gives.
    """
    record = dict(scored.counts)
    means = {name: float(scored.runs[name].mean()) for name in METRICS}
    intervals = over_images(means, scored.resampled)
    for name in METRICS:
        values = scored.runs[name]
        record[name] = means[name]
        record[f"{name}_low"], record[f"{name}_high"] = intervals[name]
        if len(values) > 1:
            low, high = over_seeds(values)
            record[f"{name}_std"] = float(values.std(ddof=1))
            record[f"{name}_seeds_low"], record[f"{name}_seeds_high"] = low, high
        if baseline is not None:
            compared = difference(
                (values, baseline.runs[name]),
                (scored.resampled[name], baseline.resampled[name]),
            )
            record |= {f"{name}_{key}": value for key, value in compared.items()}
    return {key: rounded(value) for key, value in record.items()}


def per_run(labels_true: Array, labels_pred: Array) -> dict[str, Array]:
    """Score each run by itself: metric to float64 (n_seeds,)."""
    each = [
        scores(contingency(labels_true, row), noise=bool((row < 0).any()))
        for row in labels_pred
    ]
    return {name: np.array([run[name] for run in each], float) for name in METRICS}


def rounded(value: Any) -> Any:
    """Six decimals: far below any interval, and readable in a diff."""
    return round(value, 6) if isinstance(value, float) else value
