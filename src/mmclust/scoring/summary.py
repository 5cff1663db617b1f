"""A method's runs scored against classes, with what makes them uncertain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.clustering import METRICS, ami, contingency, scores
from mmclust.scoring.intervals import difference, intervals, no_p, resample
from mmclust.scoring.record import Score, named

if TYPE_CHECKING:
    from mmclust.scoring.record import Key

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
        ``n_samples``, ``n_classes``, ``n_seeds``; ``n_clusters`` (that hold an image),
        ``largest`` (share of the images in the largest) and ``noise`` (share of those
        in none), means over seeds; and ``ami`` with its standard deviation over seeds.
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
    sizes = [np.unique(row[row >= 0], return_counts=True)[1] for row in labels_pred]
    adjusted = [ami(contingency(labels_true, row)) for row in labels_pred]
    counts = {
        "n_samples": len(labels_true),
        "n_classes": int(labels_true.max()) + 1,
        "n_seeds": len(labels_pred),
        "n_clusters": float(np.mean([len(each) for each in sizes])),
        "largest": float(np.mean([each.max(initial=0) for each in sizes]))
        / len(labels_true),
        "noise": float((labels_pred < 0).mean()),
        "ami": float(np.mean(adjusted)),
        "ami_std": float(np.std(adjusted, ddof=1)) if len(adjusted) > 1 else None,
    }
    runs = per_run(labels_true, labels_pred)
    return Scored(runs, resample(labels_true, labels_pred, n_resamples, rng), counts)


def scores_of(scored: Scored, key: Key, k: int) -> list[Score]:
    """Return a method's numbers with their intervals, compared with nothing."""
    n_seeds = scored.counts["n_seeds"]
    ranges = intervals(scored.runs, scored.resampled, scored.counts["n_samples"])
    found = []
    for metric in METRICS:
        runs, (low, high) = scored.runs[metric], ranges[metric]
        sd = float(runs.std(ddof=1)) if n_seeds > 1 else None
        found.append(
            Score(
                *key, metric, float(runs.mean()), k=k, low=low, high=high, sd=sd,
                n_seeds=n_seeds, definition="clustering-2",
            )
        )  # fmt: skip
    ids = {"ami": "ami-1"} | dict.fromkeys(("n_clusters", "largest", "noise"), "use-1")
    for metric in ("ami", "n_clusters", "largest", "noise", "n_samples", "n_classes"):
        sd = scored.counts.get(f"{metric}_std")
        found.append(
            Score(
                *key, metric, float(scored.counts[metric]), k=k, sd=sd, n_seeds=n_seeds,
                definition=ids.get(metric, ""),
            )
        )  # fmt: skip
    return found


def compared(score: Score, own: Scored, other: Scored, versus: Key) -> Score:
    """Put a comparison with another method into a number; counts have none.

    Parameters
    ----------
    score
        One of the method's, of :func:`scores_of`.
    own, other
        Both methods, scored on the same resamples.
    versus
        Whose ``other`` is.
    """
    metric = score.metric
    if metric not in own.resampled:
        return score
    found = difference(
        (own.runs[metric], other.runs[metric]),
        (own.resampled[metric], other.resampled[metric]),
        own.counts["n_samples"],
    )
    return replace(
        score, versus=named(versus), diff=found["diff"], diff_low=found["diff_low"],
        diff_high=found["diff_high"], p=found["diff_p"],
        note=no_p(found["diff_p"], own.counts["n_samples"]),
    )  # fmt: skip


def summarise(scored: Scored, baseline: Scored | None = None) -> dict[str, Any]:
    """Return the flat record that commands for files of one's own write.

    Parameters
    ----------
    scored
        Of the method.
    baseline
        Of what it is compared with, on the same resamples.

    Returns
    -------
    dict
        What :class:`Scored` counts, and for each metric its mean over seeds,
        ``<metric>_low`` and ``_high`` (95 %, of images and seeds together) and, with
        two seeds or more, ``<metric>_std`` of one seed. With a baseline,
        ``<metric>_diff`` and what else
        :func:`mmclust.scoring.intervals.difference` gives.
    """
    record = {k: v for k, v in scored.counts.items() if v is not None}
    for score in scores_of(scored, ("", "", ""), 0)[: len(METRICS)]:
        name = score.metric
        record[name] = score.mean
        record[f"{name}_low"], record[f"{name}_high"] = score.low, score.high
        if score.sd is not None:
            record[f"{name}_std"] = score.sd
        if baseline is not None:
            both = compared(score, scored, baseline, ("baseline", "", ""))
            record |= {f"{name}_diff": both.diff, f"{name}_diff_low": both.diff_low,
                       f"{name}_diff_high": both.diff_high,
                       f"{name}_diff_p": both.p}  # fmt: skip
            if both.p is None:
                record[f"{name}_diff_why"] = both.note
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
