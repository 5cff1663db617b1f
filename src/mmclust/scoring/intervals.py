"""Uncertainty: over seeds by Student's t, over images by the bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.clustering import METRICS, scores

if TYPE_CHECKING:
    from collections.abc import Iterator

Array = np.ndarray[Any, Any]

LEVEL = 0.95
_CELLS = 4_000_000
"""Table cells held at once: 32 MB."""


def over_seeds(values: Array) -> tuple[float, float]:
    """Interval of the mean over seeds: mean ± t · s / √n.

    Parameters
    ----------
    values
        (n_seeds,), at least two.

    Returns
    -------
    low, high : float
        The 95 % interval of the expected score of one seed. Not clipped.
    """
    from scipy.stats import t

    n = len(values)
    half = t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def over_images(
    labels_true: Array, labels_pred: Array, n_resamples: int, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals, over images, of each score's mean over seeds.

    Images are drawn with replacement, the same ones for every seed, and scored
    anew, matching included. Resamples repeat images, which lifts NMI and, with
    many clusters, ACC above the estimate; the deviations are therefore taken from
    the resamples' own mean and added to the estimate.

    Parameters
    ----------
    labels_true
        int (n,), classes 0 … c-1.
    labels_pred
        int (n_seeds, n), clusters 0 … k-1.
    n_resamples
        Number of resamples; 1,000 gives two digits.
    rng
        Equal generators draw equal resamples, so that methods are paired.

    Returns
    -------
    dict
        Metric to (low, high) of its 95 % interval, clipped to the metric's range.
    """
    shape = (int(labels_pred.max()) + 1, int(labels_true.max()) + 1)
    cells = labels_pred.astype(np.int64) * shape[1] + labels_true
    resampled: dict[str, list[Array]] = {name: [] for name in METRICS}
    for tables in _resampled_tables(cells, shape, n_resamples, rng):
        for name, values in scores(tables).items():
            resampled[name].append(values.mean(-1))
    estimate = scores(_tables(cells, shape))
    tails = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    intervals = {}
    for name in METRICS:
        values = np.concatenate(resampled[name])
        spread = np.quantile(values - values.mean(), tails)
        floor = -1.0 if name == "ari" else 0.0
        low, high = np.clip(estimate[name].mean() + spread, floor, 1.0)
        intervals[name] = (float(low), float(high))
    return intervals


def _tables(cells: Array, shape: tuple[int, int]) -> Array:
    """Count (n_seeds, n) cell numbers into (n_seeds, k, c) tables."""
    size = shape[0] * shape[1]
    shifted = cells + size * np.arange(len(cells))[:, None]
    counts = np.bincount(shifted.ravel(), minlength=size * len(cells))
    return counts.reshape(len(cells), *shape)


def _resampled_tables(
    cells: Array, shape: tuple[int, int], n_resamples: int, rng: np.random.Generator
) -> Iterator[Array]:
    """Yield (chunk, n_seeds, k, c) tables of resampled images."""
    n_seeds, n = cells.shape
    chunk = max(1, _CELLS // (n_seeds * shape[0] * shape[1]))
    for start in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - start)
        yield np.stack(
            [_tables(cells[:, rng.integers(n, size=n)], shape) for _ in range(size)]
        )
