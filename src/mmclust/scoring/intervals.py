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

A function that scores images, words, queries or objects returns figures: a name for
each, and a number or a :class:`Sampled`. :func:`flat` makes of them the record that
commands for files of one's own write, :func:`scores_of` the rows of the record of
scores. Figures of the same words (images) drawn by equal generators are paired:
:func:`compared`. A score that a run or a resample does not have is NaN here and never
leaves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.scoring.record import Score, named

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from mmclust.scoring.record import Key

Array = np.ndarray[Any, Any]

LEVEL = 0.95
SMALLEST_P = 1e-4
"""Smaller p-values are not told apart: the tails are an approximation."""
FEWEST = 10
"""Images (or words) below which there is no p-value: it would mean nothing."""
_NOTHING = 1e-20
"""Variances below this are rounding."""


def interval(
    runs: Array,
    resampled: Array,
    n: int,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """Return the 95 % interval of a score's mean over runs: low and high.

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
    """
    mean = float(runs.mean())
    variance, df = _total(_parts([(runs, resampled, 1.0)], n))
    half = _quantile(df) * math.sqrt(variance) if variance else 0.0
    low, high = np.clip([mean - half, mean + half], *limits)
    return float(low), float(high)


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
    return tested(diff, _parts(sides, n), n)


def tested(
    diff: float, parts: Sequence[tuple[float, float]], n: int
) -> dict[str, float | None]:
    """Return interval and p of a difference whose variance has these parts.

    See :func:`difference`; a part is a variance and its degrees of freedom.
    """
    variance, df = _total(parts)
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
            images -= own_part(drawn)
            seeds.append((float(np.var(runs, ddof=1)) / s, s - 1.0))
    return [(images, max(n - 1.0, 1.0)), *seeds]


def own_part(drawn: Array) -> float:
    """Return the variance of the mean over runs that is the runs' own; 0 of one."""
    s = int(drawn.shape[1])
    if s == 1:
        return 0.0
    # What is left without the means of rows and columns.
    own = drawn - drawn.mean(0) - drawn.mean(1, keepdims=True) + drawn.mean()
    return float((own**2).sum() / ((s - 1) * (len(drawn) - 1))) / s


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
        """Standard deviation of one run; None where some run has none."""
        known = len(self.runs) > 1 and self.mean is not None
        return float(self.runs.std(ddof=1)) if known else None

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

    ``<score>``; ``<score>_low`` and ``_high``, its 95 % interval (null where there is
    none, with ``_interval_why``); with two runs or more also ``<score>_std``. Where a
    score is null or undefined, ``<score>_why``.
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
            record[f"{name}_low"], record[f"{name}_high"] = low, high
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
    """Compare two scores on the same resamples, as :func:`difference` does.

    Nothing where they cannot be compared; and why, or why there is no p-value.
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
    width = own.limits[1] - own.limits[0]
    for end in ("diff_low", "diff_high"):
        found[end] = min(max(found[end] or 0.0, -width), width)
    return found, no_p(found["diff_p"], own.n)


def scores_of(
    figures: Mapping[str, Any],
    key: Key,
    *,
    n_seeds: int,
    definition: str = "",
    baseline: tuple[Key, Mapping[str, Any]] | None = None,
) -> list[Score]:
    """Return figures of ``key`` as rows of the record; texts have none.

    ``baseline`` is what they are compared with: whose figures, and these.
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
                row = beside(row, value, other, baseline[0])
            rows.append(row)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            rows.append(
                Score(*key, name, float(value), n_seeds=n_seeds, definition=definition)
            )
    return rows


def compared_rows(
    every: Mapping[str, Mapping[tuple[str, str], Mapping[str, Any]]],
    base: str,
    n_seeds: Mapping[str, int],
    definitions: Mapping[str, str],
) -> list[Score]:
    """Return the rows of encoders (word models), each held against one of them.

    ``every`` has encoder → view and method → figures; ``definitions`` are by view.
    Holm's p is adjusted within a view and method. Rows come encoder by encoder.
    """
    rows: list[Score] = []
    for part in dict.fromkeys(part for parts in every.values() for part in parts):
        first = every[base].get(part)
        rows += adjusted(
            [
                score
                for name, parts in every.items()
                for score in scores_of(
                    parts.get(part, {}), (name, *part), n_seeds=n_seeds[name],
                    definition=definitions.get(part[0], ""),
                    baseline=None if name == base or first is None
                    else ((base, *part), first),
                )
            ]
        )  # fmt: skip
    place = {name: at for at, name in enumerate(every)}
    return sorted(rows, key=lambda score: place[score.encoder])


def beside(row: Score, own: Sampled, other: Sampled, versus: Key) -> Score:
    """Put a score's difference from another thing's into its row."""
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


def draws(
    n: int, n_resamples: int, rng: np.random.Generator, cells: int = 4_000_000
) -> Iterator[Array]:
    """Yield how often each of n is drawn: float64 (chunk, n)."""
    limit = max(1, cells // max(n, 1))
    for start in range(0, n_resamples if n else 0, limit):
        size = min(limit, n_resamples - start)
        drawn = rng.integers(n, size=(size, n))
        drawn += n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n)
        yield counts.reshape(size, n).astype(np.float64)


def adjusted(scores: Sequence[Score]) -> list[Score]:
    """Put Holm's p beside the p of all that is compared with one thing by one metric.

    ``scores`` are of one benchmark, or of one family of comparisons in it.
    """
    families: dict[str, list[int]] = {}
    for row, score in enumerate(scores):
        if score.versus:
            families.setdefault(score.metric, []).append(row)
    found = list(scores)
    for rows in families.values():
        values = holm([scores[row].p for row in rows])
        for row, p in zip(rows, values, strict=True):
            found[row] = replace(scores[row], p_holm=p)
    return found
