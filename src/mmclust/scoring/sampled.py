"""Figures with what makes them uncertain: runs, and resamples of what was scored.

A function that scores words, queries or objects returns figures: a name for each, and
a number or a :class:`Sampled`. :func:`flat` makes of them the record that commands for
files of one's own write, :func:`scores_of` the rows of the record of scores. Figures
of the same words (images) drawn by equal generators are paired: :func:`compared`.

A score that a run or a resample does not have is NaN here and never leaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.intervals import FEWEST, difference, interval, no_p
from mmclust.scoring.record import Score, named

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from mmclust.scoring.record import Key

Array = np.ndarray[Any, Any]
Figures = dict[str, Any]
"""A name, and a number, a text or a :class:`Sampled`."""


@dataclass(frozen=True)
class Sampled:
    """A score's runs and resamples.

    Parameters
    ----------
    runs
        float64 (s,); NaN where a run has none.
    resampled
        float64 (n_resamples, s); NaN likewise; None: no interval is asked for.
    n
        Words (queries, images) that were resampled.
    of
        Which these are: scores of the same, and only they, are paired.
    limits
        The score's range, that intervals are clipped to.
    why
        Why it is null, where some run has none.
    undefined
        Why it has no interval though it has a value, such as 0 by convention.
    of_pairs
        Of a score of pairs of words: float64 (n_resamples, s) of resampled pairs. What
        is a pair's own varies threefold where its two words are resampled (Owen 2007,
        The pigeonhole bootstrap), so two parts of it are taken off.
    """

    runs: Array
    resampled: Array | None
    n: int
    of: Hashable = None
    limits: tuple[float, float] = (-math.inf, math.inf)
    why: str = ""
    undefined: str = ""
    of_pairs: Array | None = None

    @property
    def mean(self) -> float | None:
        """Over runs; None where some run has none."""
        if not len(self.runs) or np.isnan(self.runs).any():
            return None
        return float(self.runs.mean())

    @property
    def sd(self) -> float | None:
        """Standard deviation of one run."""
        return float(self.runs.std(ddof=1)) if len(self.runs) > 1 else None

    def range(self) -> tuple[float | None, float | None]:
        """Return the 95 % interval; nothing where too few resamples have the score."""
        if self.resampled is None or self.undefined or self.mean is None:
            return None, None
        drawn = self.resampled[~np.isnan(self.resampled).any(axis=1)]
        if len(drawn) < FEWEST:
            return None, None
        share = _share(drawn.mean(1), self.of_pairs)
        return interval(self.runs, _drawn_in(drawn, share), self.n, self.limits)

    @property
    def note(self) -> str:
        """Why something is None."""
        if self.mean is None:
            return self.why
        if self.undefined:
            return self.undefined
        if self.resampled is not None and self.range()[0] is None:
            return "too few words"
        return ""


def flat(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures as a flat record.

    Returns
    -------
    dict
        ``<score>``; ``<score>_low`` and ``_high``, its 95 % interval (null where there
        is none, with ``_interval_why``); with two runs or more also ``<score>_std``.
        Where a score is null or undefined, ``<score>_why``.
    """
    record: dict[str, Any] = {}
    for name, value in figures.items():
        if not isinstance(value, Sampled):
            record[name] = value
            continue
        record[name] = value.mean
        if value.mean is None:
            record[f"{name}_why"] = value.why
        elif value.resampled is not None:
            low, high = value.range()
            record[f"{name}_low"], record[f"{name}_high"] = (
                low,
                high,
            )
            if value.undefined:
                record[f"{name}_why"] = value.undefined
            elif low is None:
                record[f"{name}_interval_why"] = value.note
            if value.sd is not None:
                record[f"{name}_std"] = value.sd
    return record


def flat_differences(
    figures: Mapping[str, Any], baseline: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``<score>_diff``, ``_diff_low``, ``_diff_high`` (95 %) and ``_diff_p``.

    Where one of them is null, also ``<score>_diff_why``.
    """
    record: dict[str, Any] = {}
    for name, value in figures.items():
        other = baseline.get(name)
        if isinstance(value, Sampled) and isinstance(other, Sampled):
            if value.resampled is None:
                continue
            found, why = compared(value, other)
            found = found or dict.fromkeys(("diff", "diff_low", "diff_high", "diff_p"))
            record |= {f"{name}_{part}": v for part, v in found.items()}
            if why:
                record[f"{name}_diff_why"] = why
    return record


def compared(own: Sampled, other: Sampled) -> tuple[dict[str, float | None], str]:
    """Compare two scores on the same resamples.

    Returns
    -------
    difference : dict
        See :func:`mmclust.scoring.intervals.difference`; empty where they cannot be
        compared.
    why
        Why it is empty, or why there is no p-value.
    """
    if own.of != other.of or own.n != other.n:
        return {}, "not compared: the two are not of the same words or images"
    if own.resampled is None or other.resampled is None:
        return {}, "not compared: there are no resamples"
    for each in (own, other):
        if each.mean is None or each.undefined:
            return {}, f"not compared: {each.note}"
    have = ~(np.isnan(own.resampled).any(1) | np.isnan(other.resampled).any(1))
    if have.sum() < FEWEST:
        return {}, "not compared: too few words"
    drawn = own.resampled[have], other.resampled[have]
    if own.of_pairs is not None and other.of_pairs is not None:
        both = np.column_stack([own.of_pairs.mean(1), -other.of_pairs.mean(1)])
        share = _share(drawn[0].mean(1) - drawn[1].mean(1), both.sum(1, keepdims=True))
        drawn = _drawn_in(drawn[0], share), _drawn_in(drawn[1], share)
    found = difference((own.runs, other.runs), drawn, own.n)
    return found, no_p(found["diff_p"], own.n)


def scores_of(
    figures: Mapping[str, Any],
    key: Key,
    *,
    n_seeds: int,
    definition: str = "",
    baseline: tuple[Key, Mapping[str, Any]] | None = None,
) -> list[Score]:
    """Return figures as rows of the record; texts have none.

    Parameters
    ----------
    figures
        Of one method.
    key
        Whose they are.
    n_seeds
        Runs.
    definition
        How they are computed.
    baseline
        What the scores are compared with: whose they are, and its figures.
    """
    rows = []
    for name, value in figures.items():
        if isinstance(value, Sampled):
            low, high = value.range()
            row = Score(
                *key, name, value.mean, low=low, high=high, sd=value.sd,
                n_seeds=len(value.runs) or n_seeds, definition=definition,
                note=value.note,
            )  # fmt: skip
            other = baseline[1].get(name) if baseline else None
            if baseline and isinstance(other, Sampled) and value.resampled is not None:
                row = _beside(row, value, other, baseline[0])
            rows.append(row)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            rows.append(
                Score(*key, name, float(value), n_seeds=n_seeds, definition=definition)
            )
    return rows


def _beside(row: Score, own: Sampled, other: Sampled, versus: Key) -> Score:
    found, why = compared(own, other)
    if not found:
        return replace(row, note=row.note or why)
    return replace(
        row, versus=named(versus), diff=found["diff"], diff_low=found["diff_low"],
        diff_high=found["diff_high"], p=found["diff_p"], note=row.note or why,
    )  # fmt: skip


def _share(drawn: Array, of_pairs: Array | None) -> float:
    """Return the share of resamples' variance that is not counted twice too often."""
    if of_pairs is None or not (all_of := float(np.var(drawn))):
        return 1.0
    pairs = of_pairs[~np.isnan(of_pairs).any(axis=1)].mean(1)
    own = float(np.var(pairs)) if len(pairs) else 0.0
    # Pairs alone are the least that can vary.
    return min(1.0, max(all_of - 2 * own, own) / all_of)


def _drawn_in(drawn: Array, share: float) -> Array:
    """Draw resamples towards their mean, to a share of their variance."""
    mean = drawn.mean(0)
    return np.asarray(mean + share**0.5 * (drawn - mean))


def chunks(total: int, limit: int) -> Iterator[int]:
    """Yield sizes of at most ``limit`` that add up to ``total``."""
    for start in range(0, total, limit):
        yield min(limit, total - start)


def draws(
    n: int, n_resamples: int, rng: np.random.Generator, cells: int = 4_000_000
) -> Iterator[Array]:
    """Yield how often each of n is drawn: float64 (chunk, n)."""
    for size in chunks(n_resamples if n else 0, max(1, cells // (n or 1))):
        drawn = rng.integers(n, size=(size, n))
        drawn += n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n)
        yield counts.reshape(size, n).astype(np.float64)
