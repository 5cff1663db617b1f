"""Scoring a user's own words: CSV files against the public files of norms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition.metrics import (
    ASSOCIATION,
    CATEGORIZATION,
    CONCRETENESS,
    association,
    categorization,
    concreteness,
    encode,
)
from mmclust.cognition.norms import (
    Categories,
    Ratings,
    read_categories,
    read_ratings,
    read_strengths,
)
from mmclust.core.errors import MmclustError
from mmclust.core.seeds import generator
from mmclust.scoring.columns import (
    known,
    read_estimates,
    read_list,
    read_numbers,
    read_word_runs,
)
from mmclust.scoring.intervals import flat, flat_differences
from mmclust.scoring.record import defined

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

FREQUENT = re.compile(r"_over_[1-9]")
"""In the key of a score of words that occur more often than once."""


def score_categorization(
    clusters: Sequence[Path],
    categories: Path,
    vocabulary: Path | None = None,
    *,
    baseline: Sequence[Path] = (),
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Score word clusters against categories of the typicality file."""
    listed = None if vocabulary is None else set(read_list(vocabulary))
    norms = read_categories(categories)
    sides = [
        categorize(
            norms, read_word_runs(files), listed, n_resamples=n_resamples, seed=seed
        )
        for files in (clusters, baseline)
        if files
    ]
    return _record(CATEGORIZATION, *sides)


def _record(
    definition: str, figures: dict[str, Any], *baseline: dict[str, Any]
) -> dict[str, Any]:
    """Return a flat record, with differences from a baseline where there is one."""
    record = {"definition": defined(definition), **flat(figures)}
    for other in baseline:
        record |= flat_differences(figures, other)
    return record


def categorize(
    norms: Categories,
    runs: list[dict[str, str]],
    listed: Collection[str] | None,
    *,
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of runs that have been read."""
    words, gold, codes = encode(norms.words, runs)
    mask = None if listed is None else np.array([w in listed for w in words], bool)
    record = categorization(
        gold,
        codes,
        mask,
        n_resamples=n_resamples,
        rng=generator(seed, "score", "categorization"),
        words=tuple(words),
    )
    left = record.pop("n_categories_listed")
    return {
        **record,
        "n_categories": norms.n_categories,
        "n_categories_empty": norms.n_categories - left,
        "n_ratings_missing": norms.n_missing,
        "n_ties": norms.n_ties,
    }


def score_concreteness(
    predictions: Path,
    norms: Path,
    counts: Path | None,
    *,
    baseline: Path | None = None,
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Score estimates of concreteness against ratings.

    Without ``counts``: of the words that ``predictions`` has, whatever their number of
    occurrences; there are no scores of more frequent words.
    """
    rated, paths = read_ratings(norms), [predictions, baseline]
    estimates = [read_estimates(path) for path in paths if path is not None]
    if counts is not None:
        occurrences = read_numbers(counts, "count", whole=True)
    else:
        occurrences = {word: 1.0 for run in estimates[0] for word in run}
    sides = [
        rate(rated, runs, occurrences, n_resamples=n_resamples, seed=seed)
        for runs in estimates
    ]
    record = _record(CONCRETENESS, *sides)
    if counts is not None:
        return record
    return {k: value for k, value in record.items() if not FREQUENT.search(k)}


def rate(
    norms: Ratings,
    runs: Sequence[Mapping[str, float]],
    occurrences: Mapping[str, float],
    *,
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of estimates that have been read."""
    words = sorted(occurrences.keys() & norms.words.keys())
    if not words:
        raise MmclustError(
            "No word has both a count and a rating",
            expected="counts of English words, in the letters of the norms",
            found=f"{len(occurrences)} counted words, {len(norms.words)} rated ones",
        )
    record = concreteness(
        np.array([norms.words[w] for w in words]),
        np.array([[run.get(w, 0.0) for w in words] for run in runs]),
        np.array([occurrences[w] for w in words]),
        n_resamples=n_resamples,
        rng=generator(seed, "score", "concreteness"),
        words=tuple(words),
    )
    estimated = [sum(w in run for w in words) for run in runs]
    return {
        "n_without_estimate": len(words) - float(np.mean(estimated)),
        "n_rated": len(norms.words),
        "n_ratings_missing": norms.n_missing,
        **record,
    }


def score_association(
    clusters: Sequence[Path],
    norms: Path,
    counting: str = "published",
    *,
    baseline: Sequence[Path] = (),
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Score word clusters by association norms; the words are the clusters'."""
    often = {"n_resamples": n_resamples, "seed": seed}
    runs = read_word_runs(clusters)
    words = sorted({word for run in runs for word in run})
    figures = associate(norms, runs, words, counting, **often)
    record = _record(ASSOCIATION, figures)
    if baseline:
        others = read_word_runs(baseline)
        # What only one of them clusters is unknown to the other: MAS is the same.
        both = sorted({*words, *(word for run in others for word in run)})
        sides = [associate(norms, r, both, counting, **often) for r in (runs, others)]
        record |= flat_differences(*sides)
    return record


def associate(
    norms: Path,
    runs: list[dict[str, str]],
    words: Sequence[str],
    counting: str,
    *,
    n_resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Return the figures of runs that have been read, over a list of words."""
    if not words:
        raise MmclustError("There is no word to score", expected="rows of words")
    table = read_strengths(norms, words, counting)
    listed = dict.fromkeys(words, "")
    _, _, codes = encode(listed, [known(run) for run in runs])
    record = association(
        codes,
        table.pairs,
        table.strengths,
        n_resamples=n_resamples,
        rng=generator(seed, "score", "association"),
        of=tuple(words),
    )
    return {**table.facts, **record}
