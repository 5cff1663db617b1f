"""Precision, recall and F1 from hits and misses added up over images.

Scores are micro-averages: TP, FP and FN are summed over images, then divided. A score
that is undefined (nothing predicted, nothing to find) is 0, as published, with the
reason beside it. Intervals are of the bootstrap over images, the same ones for every
score, so that scores can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.intervals import Sampled

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


def micro_figures(
    counts: Mapping[str, Array], *, n_resamples: int, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Return the figures of several evaluations of the same images.

    Parameters
    ----------
    counts
        By evaluation, int (s, n, 3): TP, FP and FN of each image, for each of s runs.
    n_resamples, rng
        Of the bootstrap over images.

    Returns
    -------
    dict
        Of each evaluation: ``precision``, ``recall`` and ``f1`` in [0, 1], sampled
        over images; and ``tp``, ``fp`` and ``fn``, sums, means over runs. A score
        that is undefined in every run is 0 and has no interval.
    """
    stacked = {name: np.asarray(value, np.int64) for name, value in counts.items()}
    wide = np.concatenate(list(stacked.values())).swapaxes(0, 1)
    sums = _resampled_sums(wide, n_resamples, rng)
    found: dict[str, dict[str, Any]] = {}
    start = 0
    for name, value in stacked.items():
        stop = start + len(value)
        resampled, own = micro(sums[:, start:stop]), value.sum(axis=1)
        tp, fp, fn = own.sum(axis=0).tolist()
        defined = {"precision": tp + fp, "recall": tp + fn, "f1": tp + fp + fn}
        found[name] = {
            key: Sampled(
                runs, resampled[key], value.shape[1], limits=(0.0, 1.0),
                undefined="" if defined[key] else _WHY[key],
            )
            for key, runs in micro(own).items()
        } | {
            kind: float(runs.mean())
            for kind, runs in zip(("tp", "fp", "fn"), own.T, strict=True)
        }  # fmt: skip
        start = stop
    return found


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
