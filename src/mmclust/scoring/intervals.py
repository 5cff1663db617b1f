"""Uncertainty: over seeds by Student's t, over images by the bootstrap.

Comparisons are paired: both methods are scored on the same resampled images, and
run i of one is held against run i of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.clustering import METRICS, scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Array = np.ndarray[Any, Any]

LEVEL = 0.95
_CELLS = 4_000_000
"""Table cells held at once: 32 MB."""
_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


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


def resample(
    labels_true: Array, labels_pred: Array, n_resamples: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Score resampled images: each score's mean over seeds, resample by resample.

    Images are drawn with replacement, the same ones for every seed, and scored
    anew, matching included.

    Parameters
    ----------
    labels_true
        int (n,), classes 0 … c-1.
    labels_pred
        int (n_seeds, n), clusters 0 … k-1; -1 is noise.
    n_resamples
        Number of resamples; 1,000 gives two digits.
    rng
        Equal generators draw equal resamples, so that methods are paired.

    Returns
    -------
    dict
        Metric to float64 (n_resamples,).
    """
    # Noise, if any, is row 0: scores() is told so. Without any it is an empty row.
    shape = (int(labels_pred.max()) + 2, int(labels_true.max()) + 1)
    cells = (labels_pred.astype(np.int64) + 1) * shape[1] + labels_true
    resampled: dict[str, list[Array]] = {name: [] for name in METRICS}
    for tables in _resampled_tables(cells, shape, n_resamples, rng):
        for name, values in scores(tables, noise=True).items():
            resampled[name].append(values.mean(-1))
    return {name: np.concatenate(parts) for name, parts in resampled.items()}


def over_images(
    estimates: Mapping[str, float], resampled: Mapping[str, Array]
) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals, over images, of each score's mean over seeds.

    Resamples repeat images, which lifts NMI and, with many clusters, ACC above the
    estimate; the deviations are therefore taken from the resamples' own mean and
    added to the estimate.

    Parameters
    ----------
    estimates
        Each metric's mean over seeds, on all images.
    resampled
        What :func:`resample` gave.

    Returns
    -------
    dict
        Metric to (low, high) of its 95 % interval, clipped to the metric's range.
    """
    intervals = {}
    for name, values in resampled.items():
        floor = -1.0 if name == "ari" else 0.0
        low, high = np.clip(estimates[name] + _spread(values), floor, 1.0)
        intervals[name] = (float(low), float(high))
    return intervals


def difference(
    runs: tuple[Array, Array], resampled: tuple[Array, Array]
) -> dict[str, float]:
    """Compare one metric of a method with that of a baseline, paired.

    Parameters
    ----------
    runs
        (n_seeds,) each, the method's first; a method with one run (a deterministic
        one) is held against every run of the other.
    resampled
        (n_resamples,) each, of the same resampled images.

    Returns
    -------
    dict
        ``diff``, the difference of the means over seeds; ``diff_low``, ``_high`` and
        ``_p`` over images: the 95 % bootstrap interval, and how often (two-sided,
        as a share) a resampled difference departs from the resamples' mean by as
        much as ``diff`` does from 0; and, where there are two pairs of seeds or
        more, ``diff_seeds_p``: Student's paired t-test over them.
    """
    mine, theirs = runs
    diff = float(mine.mean() - theirs.mean())
    values = resampled[0] - resampled[1]
    low, high = diff + _spread(values)
    # Rounded: resamples of equal methods differ by nothing but the last bit.
    apart = np.abs(values - values.mean()).round(12) >= round(abs(diff), 12)
    record = {
        "diff": diff,
        "diff_low": float(low),
        "diff_high": float(high),
        "diff_p": float((1 + apart.sum()) / (1 + len(apart))),
    }
    p = _over_pairs(mine, theirs)
    return record if p is None else {**record, "diff_seeds_p": p}


def _over_pairs(mine: Array, theirs: Array) -> float | None:
    """Student's t over the differences of paired runs; None with one pair."""
    from scipy.stats import t

    if len(mine) != len(theirs) and 1 not in (len(mine), len(theirs)):
        fewest = min(len(mine), len(theirs))
        mine, theirs = mine[:fewest], theirs[:fewest]
    pairs = mine - theirs
    n = len(pairs)
    if n < 2:  # noqa: PLR2004 (no spread without two)
        return None
    spread, mean = float(np.std(pairs, ddof=1)), float(np.mean(pairs))
    if spread < 1e-12:  # noqa: PLR2004 (all pairs differ by the same)
        return 1.0 if abs(mean) < 1e-12 else 0.0  # noqa: PLR2004
    return float(2 * t.sf(abs(mean) / (spread / np.sqrt(n)), n - 1))


def _spread(values: Array) -> Array:
    return np.asarray(np.quantile(values - values.mean(), _TAILS))


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
