"""The record of scores that metrics files hold: means, spreads and intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmclust.scoring.clustering import METRICS, contingency, scores
from mmclust.scoring.intervals import difference, holm, intervals, resample

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scored:
    """One method's scores, run by run and resample by resample.

    Parameters
    ----------
    runs
        Metric to float64 (n_seeds,).
    resampled
        Metric to float64 (n_resamples, n_seeds); equal generators make them comparable.
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
        ``_high`` (95 %, of images and seeds together) and, with two seeds or more,
        ``<metric>_std`` of one seed. With a baseline, ``<metric>_diff`` and what else
        :func:`mmclust.scoring.intervals.difference` gives.
    """
    record = dict(scored.counts)
    n = scored.counts["n_samples"]
    ranges = intervals(scored.runs, scored.resampled, n)
    for name in METRICS:
        values = scored.runs[name]
        record[name] = float(values.mean())
        record[f"{name}_low"], record[f"{name}_high"] = ranges[name]
        if len(values) > 1:
            record[f"{name}_std"] = float(values.std(ddof=1))
        if baseline is not None:
            compared = difference(
                (values, baseline.runs[name]),
                (scored.resampled[name], baseline.resampled[name]),
                n,
            )
            record |= {f"{name}_{key}": value for key, value in compared.items()}
    return {key: rounded(value) for key, value in record.items()}


def adjust(records: list[dict[str, Any]]) -> None:
    """Put ``<metric>_diff_p_holm`` beside the p-values of one benchmark's records."""
    for name in METRICS:
        key = f"{name}_diff_p"
        compared = [record for record in records if key in record]
        adjusted = holm([record[key] for record in compared])
        for record, p in zip(compared, adjusted, strict=True):
            record[f"{key}_holm"] = p


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
