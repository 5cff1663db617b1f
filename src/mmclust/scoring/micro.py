"""Precision, recall and F1 from hits and misses added up over images.

Scores are micro-averages: TP, FP and FN are summed over images, then divided. A score
that is undefined (nothing predicted, nothing to find) is 0, as published, with the
reason beside it. Intervals are of the bootstrap over images, the same ones for every
score, so that scores can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.intervals import intervals

if TYPE_CHECKING:
    from collections.abc import Mapping

Array = np.ndarray[Any, Any]

SCORES = ("precision", "recall", "f1")
_CELLS = 4_000_000
_WHY = {
    "precision": "nothing was predicted",
    "recall": "there is nothing to find",
    "f1": "nothing was predicted and there is nothing to find",
}


def set_counts(predicted: Array, gold: Array) -> Array:
    """Count, of each image, predicted classes that are there, are not, and are missed.

    Parameters
    ----------
    predicted, gold
        bool (n, c).

    Returns
    -------
    numpy.ndarray
        int64 (n, 3): TP, FP, FN.
    """
    hits = predicted & gold
    both = [hits, predicted & ~gold, gold & ~predicted]
    return np.stack([each.sum(axis=1) for each in both], axis=1).astype(np.int64)


def micro(sums: Array) -> dict[str, Array]:
    """Return precision, recall and F1 of summed counts.

    Parameters
    ----------
    sums
        (…, 3): TP, FP, FN.

    Returns
    -------
    dict
        Score to float64 (…): TP / (TP + FP), TP / (TP + FN) and
        TP / (TP + (FP + FN) / 2); 0 where the divisor is.
    """
    tp, fp, fn = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    divisors = (tp + fp, tp + fn, tp + (fp + fn) / 2)
    return {
        name: np.divide(tp, divisor, out=np.zeros_like(tp), where=divisor > 0)
        for name, divisor in zip(SCORES, divisors, strict=True)
    }


def micro_records(
    counts: Mapping[str, Array], *, n_resamples: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Return a flat record of several metrics of the same images.

    Parameters
    ----------
    counts
        By metric, int (s, n, 3): TP, FP and FN of each image, for each of s runs.
    n_resamples, rng
        Of the bootstrap.

    Returns
    -------
    dict
        ``<metric>_tp``, ``_fp`` and ``_fn``, sums; ``<metric>_precision``, ``_recall``
        and ``_f1`` in [0, 1] with ``_low`` and ``_high`` (95 %, of images and seeds
        together) and, of several runs, ``_std``. All are means over runs. A score that
        is undefined in
        every run is 0, its interval null, and ``_why`` says why.
    """
    stacked = {name: np.asarray(value, np.int64) for name, value in counts.items()}
    wide = np.concatenate(list(stacked.values())).swapaxes(0, 1)
    sums = _resampled_sums(wide, n_resamples, rng)
    record: dict[str, Any] = {}
    start = 0
    for name, value in stacked.items():
        stop = start + len(value)
        resampled = micro(sums[:, start:stop])
        record |= _record(name, value.sum(axis=1), resampled, value.shape[1])
        start = stop
    return record


def _record(
    name: str, sums: Array, resampled: Mapping[str, Array], n_images: int
) -> dict[str, Any]:
    """Return one metric's figures from (s, 3) sums and (n_resamples, s) scores."""
    runs = micro(sums)
    estimates = {key: float(values.mean()) for key, values in runs.items()}
    ranges = intervals(runs, resampled, n_images)
    record: dict[str, Any] = {
        f"{name}_{kind}": round(float(values.mean()), 6) if len(values) > 1
        else int(values[0])
        for kind, values in zip(("tp", "fp", "fn"), sums.T, strict=True)
    }  # fmt: skip
    tp, fp, fn = sums.sum(axis=0).tolist()
    defined = {"precision": tp + fp, "recall": tp + fn, "f1": tp + fp + fn}
    for key in SCORES:
        low, high = ranges[key] if defined[key] else (None, None)
        record[f"{name}_{key}"] = round(estimates[key], 6)
        record[f"{name}_{key}_low"] = None if low is None else round(low, 6)
        record[f"{name}_{key}_high"] = None if high is None else round(high, 6)
        if len(sums) > 1:
            record[f"{name}_{key}_std"] = round(float(runs[key].std(ddof=1)), 6)
        if not defined[key]:
            record[f"{name}_{key}_why"] = _WHY[key]
    return record


def _resampled_sums(counts: Array, n_resamples: int, rng: np.random.Generator) -> Array:
    """Sum (n, m, 3) counts over resampled images: float64 (n_resamples, m, 3)."""
    n = len(counts)
    flat = counts.reshape(n, -1).astype(np.float64)
    chunk = max(1, _CELLS // max(n, 1))
    parts = []
    for start in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - start)
        drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        parts.append(times.astype(np.float64) @ flat)
    return np.concatenate(parts).reshape(n_resamples, *counts.shape[1:])
