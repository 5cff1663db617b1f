"""How well estimates of concreteness agree with people's ratings.

Mean absolute error, Pearson's r and Spearman's rho over words that occur more often
than m times, as Berger et al. (NAACL 2022) report them. Shapes: n words; s seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.sampled import Sampled, draws

if TYPE_CHECKING:
    from collections.abc import Hashable

Array = np.ndarray[Any, Any]

DEFINITION = "concreteness-1"
"""See :mod:`mmclust.scoring.definitions`."""
THRESHOLDS = (0, 1, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""The published m: words count whose occurrences are strictly more."""
FEWEST = 10
"""Words below which a correlation has no interval."""
FEW = "fewer than two words"
FLAT = "all estimates, or all ratings, are equal"


def pearson(x: Array, y: Array) -> float:
    """Return Pearson's r; NaN for fewer than two values or without variance.

    Parameters
    ----------
    x, y
        float64 (n,).
    """
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:  # noqa: PLR2004
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    # Each scaled by itself: a product of two tiny sums of squares may underflow.
    r = (x / np.linalg.norm(x)) @ (y / np.linalg.norm(y))
    return float(np.clip(r, -1, 1))


def spearman(x: Array, y: Array) -> float:
    """Return Spearman's rho, ties at their mean rank; NaN as :func:`pearson`."""
    from scipy.stats import rankdata

    return pearson(rankdata(x), rankdata(y))


def concreteness(
    ratings: Array,
    estimates: Array,
    counts: Array,
    *,
    n_resamples: int,
    rng: np.random.Generator,
    words: Hashable = None,
) -> dict[str, Any]:
    """Score estimates of concreteness, sampled over words: figures.

    Parameters
    ----------
    ratings
        float64 (n,): people's.
    estimates
        float64 (s, n): of each run; 0 for unknown words.
    counts
        int (n,): occurrences in the training captions.
    n_resamples, rng
        Of the bootstrap over words.
    words
        Which words these are.

    Returns
    -------
    dict
        Flat: ``n_words``, ``concreteness_prediction_mae``, and for each m
        ``prediction_correlation_over_<m>``, ``…_n`` (words), ``spearman_over_<m>``,
        null with a reason for fewer than two words, or without variance.
    """
    kept = {m: counts > m for m in THRESHOLDS}
    gaps = np.abs(ratings - estimates)
    resampled = _resampled(ratings, estimates, kept, n_resamples, rng)
    record: dict[str, Any] = {"n_words": len(ratings), "n_seeds": len(estimates)}
    name = "concreteness_prediction_mae"
    record[name] = Sampled(
        gaps.mean(-1) if len(ratings) else np.full(len(estimates), np.nan),
        resampled[name], len(ratings), words, why="no word has a rating",
    )  # fmt: skip
    for m, mask in kept.items():
        n = int(mask.sum())
        rated, estimated = ratings[mask], estimates[:, mask]
        of = words, mask.tobytes()
        why = FEW if n < 2 else FLAT  # noqa: PLR2004
        name = f"prediction_correlation_over_{m}"
        r = np.array([pearson(rated, row) for row in estimated])
        record[name] = Sampled(r, resampled[name], n, of, (-1.0, 1.0), why)
        record[f"{name}_n"] = n
        rho = np.array([spearman(rated, row) if n else np.nan for row in estimated])
        record[f"spearman_over_{m}"] = Sampled(rho, None, n, of, why=why)
    return record


def _resampled(
    ratings: Array,
    estimates: Array,
    kept: dict[int, Array],
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Array]:
    """Score resampled words by weighted sums: (n_resamples, s); none for few words."""
    y = ratings - ratings.mean() if len(ratings) else ratings
    parts: dict[str, list[Array]] = {"concreteness_prediction_mae": []}
    parts |= {f"prediction_correlation_over_{m}": [] for m in kept}
    kept = {m: mask for m, mask in kept.items() if mask.sum() >= FEWEST}
    gaps = np.abs(ratings - estimates)
    for weights in draws(len(ratings), n_resamples, rng):
        total = weights.sum(-1)
        parts["concreteness_prediction_mae"].append(weights @ gaps.T / total[:, None])
        for m, mask in kept.items():
            r = [
                _weighted(weights[:, mask], row[mask], y[mask])
                for row in estimates - estimates.mean(-1, keepdims=True)
            ]
            parts[f"prediction_correlation_over_{m}"].append(np.stack(r, axis=1))
    none = np.zeros((0, len(estimates)))
    return {name: np.concatenate([none, *values]) for name, values in parts.items()}


def _weighted(weights: Array, x: Array, y: Array) -> Array:
    """Pearson's r under each row of weights; NaN without variance."""
    n = weights.sum(-1)
    moments = weights @ np.stack([x, y, x * x, y * y, x * y], axis=1)
    sx, sy, sxx, syy, sxy = np.moveaxis(moments, -1, 0)
    vx, vy = n * sxx - sx * sx, n * syy - sy * sy
    flat = (vx <= 1e-9 * n * sxx) | (vy <= 1e-9 * n * syy)
    r = (n * sxy - sx * sy) / np.sqrt(np.where(flat, 1, vx) * np.where(flat, 1, vy))
    return np.where(flat, np.nan, np.clip(r, -1, 1))
