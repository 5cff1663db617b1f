"""Intervals of scores of words: of the words and of the seeds together.

As :mod:`mmclust.scoring.intervals` does for images. A score that a run or a resample
does not have is NaN here and never leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.intervals import interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Array = np.ndarray[Any, Any]

FEWEST = 10
"""Resamples that have a score, below which there is no interval."""


def chunks(total: int, limit: int) -> Iterator[int]:
    """Yield sizes of at most ``limit`` that add up to ``total``."""
    for start in range(0, total, limit):
        yield min(limit, total - start)


def draws(
    n_words: int, n_resamples: int, rng: np.random.Generator, cells: int = 4_000_000
) -> Iterator[Array]:
    """Yield how often each word is drawn: float64 (chunk, n_words)."""
    for size in chunks(n_resamples if n_words else 0, max(1, cells // (n_words or 1))):
        drawn = rng.integers(n_words, size=(size, n_words))
        drawn += n_words * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n_words)
        yield counts.reshape(size, n_words).astype(np.float64)


def over_runs(
    runs: Mapping[str, Array],
    resampled: Mapping[str, Array],
    n_words: int,
    *,
    limits: tuple[float, float] = (-np.inf, np.inf),
    why: str,
) -> dict[str, Any]:
    """Return each score's mean over runs with its intervals.

    Parameters
    ----------
    runs
        Score to float64 (s,); NaN where a run has none.
    resampled
        Score to float64 (n_resamples, s); NaN likewise.
    n_words
        Words that were resampled.
    limits
        The range of the scores, that intervals are clipped to.
    why
        Why a score is null where some run has none.

    Returns
    -------
    dict
        ``<score>``; ``<score>_low`` and ``_high``, its 95 % interval (null where too
        few resamples have the score); with two runs or more also ``<score>_std``.
        Where a score is null, ``<score>_why`` and nothing else.
    """
    record: dict[str, Any] = {}
    for name, values in runs.items():
        if not len(values) or np.isnan(values).any():
            record |= {name: None, f"{name}_why": why}
            continue
        record[name] = float(values.mean())
        drawn = resampled[name][~np.isnan(resampled[name]).any(axis=1)]
        low = high = None
        if len(drawn) >= FEWEST:
            low, high = interval(values, drawn, n_words, limits)
        record[f"{name}_low"], record[f"{name}_high"] = low, high
        if low is None:
            record[f"{name}_interval_why"] = "too few words"
        if len(values) > 1:
            record[f"{name}_std"] = float(values.std(ddof=1))
    return record
