"""The `cognition` stage: the words of all word models against three human norms.

It alone reads norms; what learns sees no more than a list of words.

Concreteness from text alone is estimated here, after Berger et al. (NAACL 2022): a word
is as concrete as its row of co-occurrences is like the rows of the 20 words that people
rate the most concrete, and unlike those of the 20 they rate the least. The norms choose
the representatives and judge the estimates, the representatives' own among them: the
estimate is supervised by its judge.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition.metrics import (
    ASSOCIATION,
    CATEGORIZATION,
    CONCRETENESS,
    METRICS,
    THRESHOLDS,
    VARIANTS,
    cluster_counts,
)
from mmclust.cognition.norms import (
    Categories,
    Ratings,
    read_categories,
    read_ratings,
    read_strengths,
)
from mmclust.cognition.own_files import associate, categorize, rate
from mmclust.core.clusters import UNKNOWN, WordClusters, read_words
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_array, write_table
from mmclust.core.seeds import generator
from mmclust.kernels.cooccurrence import occurrences, vectors
from mmclust.scoring.columns import read_list
from mmclust.scoring.intervals import Sampled, compared_rows
from mmclust.scoring.record import (
    CORRELATION,
    Record,
    Score,
    path_of,
    rounded,
    write,
    write_csv,
    write_means,
)
from mmclust.scoring.resamples import write_resamples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.core.params import Params

Array = np.ndarray[Any, Any]

REPRESENTATIVES = 20
MIN_COUNT = 10
"""Representatives occur more often than this."""
SOURCE = (
    "likeness of co-occurrences to the most and the least concrete words of the norms; "
    "supervised by the norms that judge it"
)
NO_ESTIMATE = "this model makes no estimate of concreteness"
NO_WORD = "the captions hold no word of the categories"
MAE = "concreteness_prediction_mae"
MEANS = {
    "nmi": ("categorization", "ignore_unknown", "v_measure_score"),
    "r": ("concreteness", "", CORRELATION),
    "mas": ("association", "", "mas"),
}
"""What DVC lists: view, method and metric of each."""
DEFINITIONS = {
    "categorization": CATEGORIZATION,
    "concreteness": CONCRETENESS,
    "association": ASSOCIATION,
}
SCORES = ("score", "value", "low", "high")
RATED = ("word", "count", "rating", "estimate")


def text_only(
    folder: Path, words: Sequence[str], counts: Array, ratings: Mapping[str, float]
) -> Array:
    """Estimate the concreteness of every word: float64 (v,).

    The sum of cosines to concrete words, less those to abstract ones. ``folder`` is of
    the co-occurrence model; ties are decided by the order of the norms' file.
    """
    concrete, abstract = representatives(words, counts, ratings)
    table = occurrences(
        read_array(folder / "tokens.npy"), read_array(folder / "bounds.npy"), len(words)
    )
    rows = vectors(table, np.arange(len(words)))
    sides = rows[concrete].sum(0) - rows[abstract].sum(0)
    return np.asarray(rows @ np.asarray(sides).ravel(), np.float64)


def representatives(
    words: Sequence[str], counts: Array, ratings: Mapping[str, float]
) -> tuple[Array, Array]:
    """Return the places of the most and the least concrete words, 20 each at most."""
    place = {word: i for i, word in enumerate(words)}
    often = [w for w in ratings if w in place and counts[place[w]] > MIN_COUNT]
    ordered = sorted(often, key=lambda word: ratings[word])
    n = min(REPRESENTATIVES, len(ordered) // 2)
    if not n:
        raise MmclustError(
            "Too few rated words occur often enough to represent concreteness",
            expected=f"two or more with over {MIN_COUNT} occurrences",
            found=len(ordered),
        )
    places = np.array([place[word] for word in ordered])
    return places[-n:], places[:n]


@dataclass(frozen=True)
class Scored:
    """What one word model came to.

    Parameters
    ----------
    estimated
        float64 (s or 1, v): concreteness, where there is any.
    parts
        View and method to figures; see :mod:`mmclust.scoring.intervals`.
    notes
        View, method and metric to what is to be known of a figure.
    """

    learned: WordClusters
    listed: list[str]
    estimated: Array | None
    parts: dict[tuple[str, str], dict[str, Any]]
    notes: dict[tuple[str, str, str], str]

    @property
    def means(self) -> Array | None:
        """Estimates, means over runs: float64 (v,)."""
        return None if self.estimated is None else self.estimated.mean(0)


def score_models(params: Params, root: Path) -> Record:
    """Score the words of all models, and compare them."""
    benchmark, models = params.learning.benchmark, list(params.words)
    scored: dict[str, Scored] = {}
    if models:
        categories = read_categories(root / params.cognition.categories)
        ratings = read_ratings(root / params.cognition.concreteness)
        scored = {m: _score(m, categories, ratings, params, root) for m in models}
    record = Record(_rows(scored, params))
    tables, plots = root / "data/cognition", root / "plots/cognition"
    for folder in (tables, plots / "scores", plots / "concreteness"):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():  # of models of an earlier run
            if old.name.removesuffix(".csv") not in models:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
    write(path_of(root, "cognition", benchmark), record)
    figures = {(m, *at): f for m, of in scored.items() for at, f in of.parts.items()}
    write_resamples(root, "cognition", benchmark, figures, params.seed)
    means = {
        model: {
            name: record.mean((model, *key[:2]), key[2]) for name, key in MEANS.items()
        }
        for model in models
    }
    write_means(root / "metrics/cognition" / benchmark, means)
    for model, each in scored.items():
        _write_plots(plots, model, each, record, ratings)
        _write_words(tables / model / "words.parquet", each, categories, ratings)
        _write_pairs(tables / model / "associations.parquet", each, params, root)
    if not models:  # DVC asks for the folders
        write_csv(plots / "scores/none.csv", SCORES, ())
        write_csv(plots / "concreteness/none.csv", RATED, ())
    return record


def _score(
    model: str, categories: Categories, ratings: Ratings, params: Params, root: Path
) -> Scored:
    """Hold one model's words against the norms."""
    learned = read_words(root / "data/words" / model / "words.parquet")
    listed = {word for word in learned.words if word in categories.words}
    if params.cognition.vocabulary is not None:
        listed &= set(read_list(root / params.cognition.vocabulary))
    words = sorted(listed)
    often = {"n_resamples": params.score.n_resamples, "seed": params.seed}
    runs = _runs(learned, "categorization", params.seed)
    parts: dict[tuple[str, str], dict[str, Any]] = {("categorization", ""): {}}
    for name, value in categorize(categories, runs, listed, **often).items():
        at = next((v for v in VARIANTS if name.startswith(v)), "")
        part = parts.setdefault(("categorization", at), {})
        part[name.removeprefix(f"{at}_")] = value

    estimated, source = _estimates(root / "data/words" / model, learned, ratings)
    parts["concreteness", ""] = _concreteness(
        learned, ratings, estimated, source, **often
    )
    notes = {("concreteness", "", MAE): source}

    if words:
        runs = _runs(learned, "association", params.seed)
        norms = root / params.cognition.association
        figures = associate(norms, runs, words, params.cognition.counting, **often)
        said = [f"{figures['layout']}, counted as {figures['counting']}",
                figures.get("double_count", "")]  # fmt: skip
        notes["association", "", "mas"] = "; ".join(filter(None, said))
    else:
        figures = {"mas": Sampled(np.array([]), None, 0, why=NO_WORD)}
    parts["association", ""] = figures
    parts["clusters", ""] = dict(
        cluster_counts(
            learned.clusters, learned.confidence, params.cognition.text_threshold
        )
    )
    return Scored(learned, words, estimated, parts, notes)


def _rows(scored: dict[str, Scored], params: Params) -> tuple[Score, ...]:
    """Return the rows of all models, beside those of the first that is no floor."""
    base = next(
        (m for m in scored if not params.is_floor("words", m)), next(iter(scored), "")
    )
    parts = {model: each.parts for model, each in scored.items()}
    seeds = {model: len(each.learned.clusters) for model, each in scored.items()}
    return tuple(
        replace(row, note=row.note
                or scored[row.encoder].notes.get((*row.key[1:], row.metric), ""))
        for row in compared_rows(parts, base, seeds, DEFINITIONS)
    )  # fmt: skip


def _runs(learned: WordClusters, part: str, seed: int) -> list[dict[str, str]]:
    """Return word to cluster, seed by seed; drawn anew where the model says so."""
    clusters = learned.clusters
    if learned.meta.get("per_query"):
        rng = generator(seed, "cognition", part)
        clusters = rng.integers(learned.meta["clusters"], size=clusters.shape)
    return [
        {w: str(c) for w, c in zip(learned.words, row, strict=True) if c != UNKNOWN}
        for row in clusters.tolist()
    ]


def _estimates(
    folder: Path, learned: WordClusters, ratings: Ratings
) -> tuple[Array | None, str]:
    """Return estimates float64 (s or 1, v), and where they are from."""
    if learned.concreteness is not None:
        return learned.concreteness, "the model's own; sees no norms"
    if not (folder / "tokens.npy").is_file():
        return None, NO_ESTIMATE
    try:
        values = text_only(folder, learned.words, learned.counts, ratings.words)
    except MmclustError as error:
        return None, error.what
    return values[None], SOURCE


def _concreteness(
    learned: WordClusters,
    ratings: Ratings,
    estimated: Array | None,
    source: str,
    **often: int,
) -> dict[str, Any]:
    why = source if estimated is None else "no word has a rating"
    if estimated is None or not ratings.words.keys() & set(learned.words):
        return {MAE: Sampled(np.array([]), None, 0, why=why)}
    runs = [dict(zip(learned.words, row, strict=True)) for row in estimated.tolist()]
    counts = dict(zip(learned.words, learned.counts.tolist(), strict=True))
    return rate(ratings, runs, counts, **often)


def _write_plots(
    plots: Path, model: str, scored: Scored, record: Record, ratings: Ratings
) -> None:
    """Write the scores that have an interval, and estimates beside ratings."""
    parts = [("categorization", variant, m) for variant in VARIANTS for m in METRICS]
    parts += [("concreteness", "", f"prediction_correlation_over_{m}")
              for m in THRESHOLDS]  # fmt: skip
    rows = []
    for view, method, metric in [*parts, ("association", "", "coverage")]:
        score = record.get((model, view, method), metric)
        # Too few words for an interval: a point of no meaning in a plot of scores.
        if score is not None and None not in (score.mean, score.low):
            name = f"{method}_{metric}" if method else metric
            rows.append([name, *map(rounded, (score.mean, score.low, score.high))])
    write_csv(plots / "scores" / f"{model}.csv", SCORES, rows)
    learned, means = scored.learned, scored.means
    rated = [
        [word, int(count), ratings.words[word], round(float(mean), 6)]
        for word, count, mean in (
            []
            if means is None
            else zip(learned.words, learned.counts, means, strict=True)
        )
        if word in ratings.words
    ]
    write_csv(plots / "concreteness" / f"{model}.csv", RATED, rated)


def _write_words(
    path: Path, scored: Scored, categories: Categories, ratings: Ratings
) -> None:
    """Write the words of the norms; clusters are those of the first seed."""
    import pyarrow as pa

    learned, means, listed = scored.learned, scored.means, set(scored.listed)
    category, rating = categories.words, ratings.words
    known = [i for i, w in enumerate(learned.words) if w in category or w in rating]
    words = [learned.words[i] for i in known]
    clusters = learned.clusters[0][known]
    columns = {
        "word": pa.array(words, pa.string()),
        "count": pa.array(learned.counts[known], pa.int64()),
        "cluster": pa.array(clusters, pa.int32(), mask=clusters == UNKNOWN),
        "category": pa.array([category.get(w) for w in words], pa.string()),
        "listed": pa.array([w in listed for w in words], pa.bool_()),
        "rating": pa.array([rating.get(w) for w in words], pa.float64()),
        "estimate": pa.array(
            [None] * len(words) if means is None else means[known], pa.float64()
        ),
    }
    write_table(path, pa.table(columns), {"model": learned.meta.get("model")})


def _write_pairs(path: Path, scored: Scored, params: Params, root: Path) -> None:
    """Write the norms' pairs of listed words of one cluster, of the first seed."""
    import pyarrow as pa

    learned, norms = scored.learned, params.cognition
    table = read_strengths(root / norms.association, scored.listed, norms.counting)
    cluster = dict(zip(learned.words, learned.clusters[0].tolist(), strict=True))
    numbers = np.array([cluster[word] for word in scored.listed], np.int32)
    first, second = table.pairs.T
    same = (numbers[first] == numbers[second]) & (numbers[first] != UNKNOWN)
    names = np.array(scored.listed, dtype=object)
    columns = {
        "first": pa.array(names[first[same]], pa.string()),
        "second": pa.array(names[second[same]], pa.string()),
        "strength": pa.array(table.strengths[same], pa.float64()),
        "cluster": pa.array(numbers[first[same]], pa.int32()),
    }
    write_table(path, pa.table(columns), table.facts)
