"""The `cognition` stage: a word model's words against three human norms.

It alone reads norms; what learns sees no more than a list of words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition import estimates
from mmclust.cognition.files import associate, categorize, rate
from mmclust.cognition.ratings import Ratings, read_ratings
from mmclust.cognition.tables import write_tables
from mmclust.cognition.typicality import read_categories
from mmclust.core.errors import MmclustError
from mmclust.core.io import write_json
from mmclust.core.seeds import generator
from mmclust.core.words import UNKNOWN, WordClusters, read_words
from mmclust.scoring.association import DEFINITION as ASSOCIATION
from mmclust.scoring.cluster_counts import cluster_counts
from mmclust.scoring.summary import rounded
from mmclust.scoring.word_columns import read_list

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params

Array = np.ndarray[Any, Any]

SCORES = (
    "ignore_unknown", "include_unknown", "concreteness_prediction",
    "prediction_correlation", "spearman_over", "mas", "found", "not_found", "coverage",
    "active",
)  # fmt: skip
"""How the names of scores begin; all else in a record is named after its part."""
NO_ESTIMATE = "this model makes no estimate of concreteness"


def score_words(model: str, params: Params, root: Path) -> dict[str, Any]:
    """Score the words of one model.

    Parameters
    ----------
    model
        A folder of ``data/words``.
    params
        ``seed``, ``score.n_resamples`` and ``cognition`` are used.
    root
        The repository. Written: ``metrics/cognition/<model>.json``,
        ``plots/cognition/<model>_scores.csv``, ``…_concreteness.csv``, and the tables
        of ``data/cognition/<model>/``.

    Returns
    -------
    dict
        The metrics: flat, with the names of Berger et al. in lower case.

    Raises
    ------
    MmclustError
        When words or norms are missing or unfit.
    """
    options = params.cognition
    folder = root / "data/words" / model
    learned = read_words(folder / "words.parquet")
    categories = read_categories(root / options.categories)
    ratings = read_ratings(root / options.concreteness)
    listed = {w for w in learned.words if w in categories.words}
    if options.vocabulary is not None:
        listed &= set(read_list(root / options.vocabulary))
    often = {"n_resamples": params.score.n_resamples, "seed": params.seed}

    runs = _runs(learned, "categorization", params.seed)
    record: dict[str, Any] = {"model": model, "n_seeds": len(runs)}
    part = categorize(categories, runs, listed, **often)
    record |= _named("categorization", part)

    estimated, source = _estimates(folder, learned, ratings)
    record |= _concreteness(learned, ratings, estimated, **often)
    record["concreteness_source"] = source

    words = sorted(listed)
    norms = root / options.association
    runs = _runs(learned, "association", params.seed)
    if words:
        part = associate(norms, runs, words, options.counting, **often)
    else:
        why = "the captions hold no word of the categories"
        part = {"definition": ASSOCIATION, "mas": None, "mas_why": why}
    record |= _named("association", part)
    record |= cluster_counts(
        learned.clusters, learned.confidence, options.text_threshold
    )
    record = {key: rounded(value) for key, value in record.items()}
    write_json(root / "metrics/cognition" / f"{model}.json", record)
    write_tables(
        root, model, learned, record, categories.words, ratings.words, estimated,
        norms, options.counting, words,
    )  # fmt: skip
    return record


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
    learned: WordClusters, ratings: Ratings, estimated: Array | None, **often: int
) -> dict[str, Any]:
    name = "concreteness_prediction_mae"
    if estimated is None:
        return {name: None, f"{name}_why": NO_ESTIMATE}
    if not ratings.words.keys() & set(learned.words):
        return {name: None, f"{name}_why": "no word has a rating"}
    runs = [dict(zip(learned.words, row, strict=True)) for row in estimated.tolist()]
    counts = dict(zip(learned.words, learned.counts.tolist(), strict=True))
    return _named("concreteness", rate(ratings, runs, counts, **often))


def _named(part: str, record: dict[str, Any]) -> dict[str, Any]:
    """Put the part's name before all that is no score."""
    return {
        key if key.startswith(SCORES) else f"{part}_{key}": value
        for key, value in record.items()
        if key != "n_seeds"
    }
