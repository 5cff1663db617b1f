"""Uncertainty of scores: of the images (or words) and of the seeds, together.

A score is a mean over runs that differ in their seed, on images that are a sample.
Its variance is estimated as the sum of two parts:

- images: the variance, over resampled images, of the mean over runs, less what of it
  is the runs' own (each run errs on other images; that part shrinks with the number
  of runs and is in the next part already);
- seeds: the variance between runs, over their number.

Intervals and p-values are Student's, with Satterthwaite's degrees of freedom. A
difference of two methods has the images' part of the difference, both methods being
scored on the same resamples, and the seeds' part of each. Where a method ran once,
the whole of the resamples' variance counts, and what is said holds for that run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.clustering import METRICS, scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Array = np.ndarray[Any, Any]

LEVEL = 0.95
SMALLEST_P = 1e-4
"""Smaller p-values are not told apart: the tails are an approximation."""
FEWEST = 10
"""Images (or words) below which there is no p-value: it would mean nothing."""
_CELLS = 4_000_000
"""Table cells held at once: 32 MB."""
_NOTHING = 1e-20
"""Variances below this are rounding."""


def resample(
    labels_true: Array, labels_pred: Array, n_resamples: int, rng: np.random.Generator
) -> dict[str, Array]:
    """Score resampled images, each run by itself.

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
        Metric to float64 (n_resamples, n_seeds).
    """
    # Noise, if any, is row 0: scores() is told so. Without any it is an empty row.
    shape = (int(labels_pred.max()) + 2, int(labels_true.max()) + 1)
    cells = (labels_pred.astype(np.int64) + 1) * shape[1] + labels_true
    resampled: dict[str, list[Array]] = {name: [] for name in METRICS}
    for tables in _resampled_tables(cells, shape, n_resamples, rng):
        for name, values in scores(tables, noise=True).items():
            resampled[name].append(values)
    return {name: np.concatenate(parts) for name, parts in resampled.items()}


def interval(
    runs: Array,
    resampled: Array,
    n: int,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """Return the 95 % interval of a score's mean over runs.

    Resamples repeat images, which lifts NMI and, with many clusters, ACC above the
    estimate; only their spread is used.

    Parameters
    ----------
    runs
        float64 (n_seeds,), on all images.
    resampled
        float64 (n_resamples, n_seeds).
    n
        Images (or words) that were resampled.
    limits
        The score's range; the interval is clipped to it.

    Returns
    -------
    low, high : float
    """
    mean = float(runs.mean())
    variance, df = _total(_parts([(runs, resampled, 1.0)], n))
    half = _quantile(df) * math.sqrt(variance) if variance else 0.0
    low, high = np.clip([mean - half, mean + half], *limits)
    return float(low), float(high)


def intervals(
    runs: Mapping[str, Array], resampled: Mapping[str, Array], n: int
) -> dict[str, tuple[float, float]]:
    """Return :func:`interval` of each score, within the range of its name."""
    return {
        name: interval(runs[name], values, n, (-1.0 if name == "ari" else 0.0, 1.0))
        for name, values in resampled.items()
    }


def difference(
    runs: tuple[Array, Array], resampled: tuple[Array, Array], n: int
) -> dict[str, float | None]:
    """Compare one metric of a method with that of a baseline.

    Parameters
    ----------
    runs
        (n_seeds,) each, the method's first; the numbers may differ.
    resampled
        (n_resamples, n_seeds) each, of the same resampled images.
    n
        Images (or words) that were resampled.

    Returns
    -------
    dict
        ``diff``, the difference of the means over seeds; ``diff_low`` and
        ``diff_high``, its 95 % interval; ``diff_p``, two-sided, to three digits, never
        below :data:`SMALLEST_P`; None where nothing varies, or over fewer than
        :data:`FEWEST`.

    Notes
    -----
    Two runs of one method, or two methods that are equally good, have p < .05 in
    about one case in twenty, whether images or seeds make the difference:
    ``tests/scoring/test_calibration.py`` simulates it.
    """
    mine, theirs = runs
    diff = float(mine.mean() - theirs.mean())
    sides = [(mine, resampled[0], 1.0), (theirs, resampled[1], -1.0)]
    variance, df = _total(_parts(sides, n))
    if not variance:
        return {"diff": diff, "diff_low": diff, "diff_high": diff, "diff_p": None}
    spread = math.sqrt(variance)
    half = _quantile(df) * spread
    return {
        "diff": diff,
        "diff_low": diff - half,
        "diff_high": diff + half,
        "diff_p": None if n < FEWEST else _p(abs(diff) / spread, df),
    }


def no_p(p: float | None, n: int) -> str:
    """Return why a comparison over n images (or words) has no p-value; or nothing."""
    if p is not None:
        return ""
    if n < FEWEST:
        return f"no p-value over {n}: at least {FEWEST} are needed"
    return "nothing varies"


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values that are looked at together (Holm 1979); None stays None."""
    order = sorted((p, i) for i, p in enumerate(values) if p is not None)
    adjusted: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (p, i) in enumerate(order):
        highest = max(highest, min(1.0, p * (len(order) - rank)))
        adjusted[i] = _three_digits(highest)
    return adjusted


def _parts(
    sides: Sequence[tuple[Array, Array, float]], n: int
) -> list[tuple[float, float]]:
    """Return variances and their degrees of freedom: of the images, of each's seeds.

    A side is its runs (s,), its resamples (r, s) and its sign.
    """
    of_images = sum(sign * drawn.mean(1) for _, drawn, sign in sides)
    images = float(np.var(of_images, ddof=1))
    seeds = []
    for runs, drawn, _ in sides:
        s = len(runs)
        if s > 1:
            # What is left without the means of rows and columns: each run's own.
            own = drawn - drawn.mean(0) - drawn.mean(1, keepdims=True) + drawn.mean()
            images -= float((own**2).sum() / ((s - 1) * (len(drawn) - 1))) / s
            seeds.append((float(np.var(runs, ddof=1)) / s, s - 1.0))
    return [(images, max(n - 1.0, 1.0)), *seeds]


def _total(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Add variances; their degrees of freedom by Satterthwaite (1946)."""
    real = [(v, df) for v, df in parts if v > _NOTHING]
    total = math.fsum(v for v, _ in real)
    if not total:
        return 0.0, 1.0
    return total, total**2 / math.fsum(v**2 / df for v, df in real)


def _quantile(df: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, df))


def _p(ratio: float, df: float) -> float:
    from scipy.stats import t

    return _three_digits(max(float(2 * t.sf(ratio, df)), SMALLEST_P))


def _three_digits(p: float) -> float:
    return float(f"{p:.3g}")


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
