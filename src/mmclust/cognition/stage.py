"""The `cognition` stage: the words of all word models against three human norms.

It alone reads norms; what learns sees no more than a list of words.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition import estimates
from mmclust.cognition.files import associate, categorize, rate
from mmclust.cognition.ratings import Ratings, read_ratings
from mmclust.cognition.tables import write_nothing, write_tables
from mmclust.cognition.typicality import Categories, read_categories
from mmclust.core.errors import MmclustError
from mmclust.core.seeds import generator
from mmclust.core.words import UNKNOWN, WordClusters, read_words
from mmclust.scoring import association, categorization, concreteness
from mmclust.scoring.cluster_counts import cluster_counts
from mmclust.scoring.record import (
    FLOORS,
    Record,
    Score,
    adjusted,
    path_of,
    write,
    write_means,
)
from mmclust.scoring.sampled import Sampled, scores_of
from mmclust.scoring.word_columns import read_list

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params

Array = np.ndarray[Any, Any]

NO_ESTIMATE = "this model makes no estimate of concreteness"
NO_WORD = "the captions hold no word of the categories"
MAE = "concreteness_prediction_mae"
MEANS = {
    "nmi": ("categorization", "ignore_unknown", "v_measure_score"),
    "r": ("concreteness", "", "prediction_correlation_over_10"),
    "mas": ("association", "", "mas"),
}
"""What DVC lists: view, method and metric of each."""
DEFINITIONS = {
    "categorization": categorization.DEFINITION,
    "concreteness": concreteness.DEFINITION,
    "association": association.DEFINITION,
}


@dataclass(frozen=True)
class Scored:
    """What one word model came to.

    Parameters
    ----------
    learned
        Its words.
    estimated
        float64 (s or 1, v): concreteness, where there is any.
    parts
        View and method to figures; see :mod:`mmclust.scoring.sampled`.
    notes
        View, method and metric to what is to be known of a figure.
    """

    learned: WordClusters
    estimated: Array | None
    parts: dict[tuple[str, str], dict[str, Any]]
    notes: dict[tuple[str, str, str], str]


def score_models(params: Params, root: Path) -> Record:
    """Score the words of all models, and compare them.

    Parameters
    ----------
    params
        ``words`` names the models, folders of ``data/words``; ``seed``,
        ``score.n_resamples``, ``cognition`` and ``learning.benchmark`` are used.
    root
        The repository. Written: ``metrics/details/cognition/<benchmark>.csv`` and its
        means, ``plots/cognition/scores`` and ``…/concreteness``, and the tables of
        ``data/cognition/<model>/``.

    Returns
    -------
    Record
        Word model, norm and variant in place of encoder, view and method. Each is
        compared with the first that is no floor, paired over words.

    Raises
    ------
    MmclustError
        When words or norms are missing or unfit.
    """
    benchmark, models = params.learning.benchmark, list(params.words)
    scored = {}
    if models:
        categories = read_categories(root / params.cognition.categories)
        ratings = read_ratings(root / params.cognition.concreteness)
        listed = {}
        for model in models:
            learned = read_words(root / "data/words" / model / "words.parquet")
            listed[model] = _listed(learned, categories, params, root)
            scored[model] = _score(
                model, learned, sorted(listed[model]), categories, ratings, params, root
            )
    record = Record(_rows(scored))
    tables, plots = root / "data/cognition", root / "plots/cognition"
    for folder in (tables, plots / "scores", plots / "concreteness"):
        shutil.rmtree(folder, ignore_errors=True)  # of models of an earlier run
        folder.mkdir(parents=True)
    write(path_of(root, "cognition", benchmark), record)
    means = {
        model: {
            name: record.mean((model, *key[:2]), key[2]) for name, key in MEANS.items()
        }
        for model in models
    }
    write_means(root / "metrics/cognition" / benchmark, means)
    for model, each in scored.items():
        write_tables(
            root, model, each.learned, record, categories.words, ratings.words,
            each.estimated, root / params.cognition.association,
            params.cognition.counting, sorted(listed[model]),
        )  # fmt: skip
    if not models:
        write_nothing(plots)
    return record


def _listed(
    learned: WordClusters, categories: Categories, params: Params, root: Path
) -> set[str]:
    """Return the word list: words of the categories that the captions hold."""
    listed = {word for word in learned.words if word in categories.words}
    if params.cognition.vocabulary is not None:
        listed &= set(read_list(root / params.cognition.vocabulary))
    return listed


def _score(
    model: str,
    learned: WordClusters,
    words: list[str],
    categories: Categories,
    ratings: Ratings,
    params: Params,
    root: Path,
) -> Scored:
    """Hold one model's words against the norms."""
    often = {"n_resamples": params.score.n_resamples, "seed": params.seed}
    notes = {}
    runs = _runs(learned, "categorization", params.seed)
    figures = categorize(categories, runs, set(words), **often)
    parts: dict[tuple[str, str], dict[str, Any]] = {("categorization", ""): {}}
    for name, value in figures.items():
        at = next((v for v in categorization.VARIANTS if name.startswith(v)), "")
        parts.setdefault(("categorization", at), {})[name.removeprefix(f"{at}_")] = (
            value
        )

    estimated, source = _estimates(root / "data/words" / model, learned, ratings)
    parts["concreteness", ""] = _concreteness(
        learned, ratings, estimated, source, **often
    )
    notes["concreteness", "", MAE] = source

    norms = root / params.cognition.association
    if words:
        runs = _runs(learned, "association", params.seed)
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
    return Scored(learned, estimated, parts, notes)


def _rows(scored: dict[str, Scored]) -> tuple[Score, ...]:
    """Return the rows of all models, beside those of the first that is no floor."""
    base = next((m for m in scored if m not in FLOORS), next(iter(scored), ""))
    rows: list[Score] = []
    for part in dict.fromkeys(key for each in scored.values() for key in each.parts):
        found = [
            replace(row, note=row.note or each.notes.get((*part, row.metric), ""))
            for model, each in scored.items()
            for row in scores_of(
                each.parts.get(part, {}), (model, *part),
                n_seeds=len(each.learned.clusters),
                definition=DEFINITIONS.get(part[0], ""),
                baseline=None if model == base
                else ((base, *part), scored[base].parts.get(part, {})),
            )
        ]  # fmt: skip
        rows += adjusted(found)
    place = {model: at for at, model in enumerate(scored)}
    return tuple(sorted(rows, key=lambda row: place[row.encoder]))


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
        values = estimates.text_only(
            folder, learned.words, learned.counts, ratings.words
        )
    except MmclustError as error:
        return None, error.what
    return values[None], estimates.SOURCE


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
