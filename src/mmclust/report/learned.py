"""Words that models learned: what was read, and the tables of the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.io import read_json, read_table
from mmclust.core.words import UNKNOWN, read_words
from mmclust.report.layout import flat
from mmclust.report.run import read_csv

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.core.words import WordClusters

    Rows = list[dict[str, str]]

SHOWN = 40
"""Words of a cluster on the page, besides those that the norms have."""
VARIANTS = {
    "ignore_unknown": "Categories, words with a cluster",
    "include_unknown": "Categories, unknown words in one more cluster",
}
MEASURES = {
    "v_measure_score": "V-measure", "fscore": "F-score (SemEval)", "purity": "purity",
    "collocation": "collocation", "pu_co_f1": "F1 of purity and collocation",
}  # fmt: skip
GROUPS = {
    **{
        title: {f"{variant}_{key}": name for key, name in MEASURES.items()}
        for variant, title in VARIANTS.items()
    },
    "Concreteness": {
        "prediction_correlation_over_0": "Pearson's r, all rated words",
        "prediction_correlation_over_10": "Pearson's r, words met over 10 times",
        "prediction_correlation_over_100": "Pearson's r, words met over 100 times",
        "spearman_over_0": "Spearman's rho, all rated words",
        "concreteness_prediction_mae": "mean absolute difference",
    },
    "Association": {
        "mas": "mean association strength",
        "coverage": "share of pairs that the norms have",
        "found": "pairs that the norms have",
        "not_found": "pairs that they lack",
    },
    "Clusters": {
        "active_cluster_num": "clusters in use",
        "active_token_count": "words in them",
    },
}
"""Scores of ``metrics/cognition`` on the page, and their names there."""
SCORES = tuple(key for names in GROUPS.values() for key in names)
CORRELATIONS = ("prediction_correlation", "spearman_over")
WHOLE = ("found", "not_found", "active_")
"""How the names of counts begin; their means over seeds have one decimal."""


@dataclass(frozen=True)
class Learner:
    """A word model and how it was scored.

    Parameters
    ----------
    name
        Of the model.
    words
        What it learned.
    scores
        As in ``metrics/cognition``; empty where it was not scored.
    judged
        Rows of ``data/cognition/<model>/words.parquet``: words of the norms.
    pairs
        Rows of ``associations.parquet``.
    rated, curve
        Rows of ``plots/cognition/<model>_concreteness.csv`` and of
        ``plots/words/<model>.csv``.
    files
        What was read, for the digests.
    """

    name: str
    words: WordClusters
    scores: dict[str, Any]
    judged: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    rated: Rows
    curve: Rows
    files: tuple[Path, ...]


def read_learners(root: Path, params: Params) -> list[Learner]:
    """Read the word models of ``params.words`` that have learned.

    Parameters
    ----------
    root
        The root of the repository.
    params
        Models that are not under ``words`` are left out, whatever lies there.

    Raises
    ------
    MmclustError
        When a file is damaged, or of another version.
    """
    found = []
    for name in params.words:
        path = root / "data/words" / name / "words.parquet"
        if not path.is_file():
            continue
        judged, pairs = (
            root / "data/cognition" / name / f"{table}.parquet"
            for table in ("words", "associations")
        )
        scores = root / "metrics/cognition" / f"{name}.json"
        rated = root / "plots/cognition" / f"{name}_concreteness.csv"
        curve = root / "plots/words" / f"{name}.csv"
        read = (path, judged, pairs, scores, rated, curve)
        found.append(
            Learner(
                name,
                read_words(path),
                flat(read_json(scores), scores, SCORES) if scores.is_file() else {},
                _rows(judged),
                _rows(pairs),
                read_csv(rated),
                read_csv(curve),
                tuple(each for each in read if each.is_file()),
            )
        )
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    return read_table(path)[0].to_pylist() if path.is_file() else []


def cluster_rows(learner: Learner) -> list[dict[str, Any]]:
    """Return the clusters of a model's first seed, largest first.

    Parameters
    ----------
    learner
        The model. Purity is of listed words with a category, those that are scored.

    Returns
    -------
    list of dict
        ``id``, ``n`` (words), ``rated`` (those with a category), ``category`` (their
        commonest, the first by name of several; empty without any), ``purity``
        (its share; None without any), ``more`` (words not shown) and ``words``:
        ``text``, ``category``, ``count``, ``confidence`` (None without one), the
        most confident first, then the most frequent.
    """
    learned = learner.words
    category = {
        row["word"]: row["category"]
        for row in learner.judged
        if row["listed"] and row["category"]
    }
    sure = [None] * len(learned.words) if learned.confidence is None else (
        learned.confidence[0].tolist()
    )  # fmt: skip
    members: dict[int, list[dict[str, Any]]] = {}
    for word, cluster, count, confidence in zip(
        learned.words, learned.clusters[0].tolist(), learned.counts.tolist(), sure,
        strict=True,
    ):  # fmt: skip
        if cluster == UNKNOWN:
            continue
        members.setdefault(cluster, []).append(
            {
                "text": word,
                "category": category.get(word, ""),
                "count": count,
                "confidence": confidence,
            }
        )
    order = sorted(members, key=lambda cluster: (-len(members[cluster]), cluster))
    return [_cluster(cluster, members[cluster]) for cluster in order]


def _cluster(number: int, words: list[dict[str, Any]]) -> dict[str, Any]:
    words = sorted(
        words, key=lambda w: (-(w["confidence"] or 0), -w["count"], w["text"])
    )
    counts = Counter(word["category"] for word in words if word["category"])
    top = min(counts, key=lambda name: (-counts[name], name), default="")
    shown = [w for i, w in enumerate(words) if i < SHOWN or w["category"]]
    return {
        "id": number,
        "n": len(words),
        "rated": counts.total(),
        "category": top,
        "purity": counts[top] / counts.total() if top else None,
        "more": len(words) - len(shown),
        "words": [w | {"text": w["text"].strip() or "(blank)"} for w in shown],
    }


def score_groups(learners: list[Learner]) -> list[dict[str, Any]]:
    """Return the scores of all models, side by side.

    Returns
    -------
    list of dict
        ``title`` and ``rows``: ``name``, ``digits`` and ``cells``, one per model:
        ``value``, ``low``, ``high``, ``std`` (over seeds), ``n`` (words a correlation
        is over) and ``why`` there is no value; each None where absent. Rows that no
        model has anything to say on are left out.
    """
    groups = []
    for title, names in GROUPS.items():
        rows: list[dict[str, Any]] = []
        for key, name in names.items():
            cells = [_cell(each.scores, key) for each in learners]
            if any(c["value"] is not None or c["why"] is not None for c in cells):
                digits = 1 if key.startswith(WHOLE) else 3
                rows.append({"name": name, "digits": digits, "cells": cells})
        if rows:
            groups.append({"title": title, "rows": rows})
    return groups


def _cell(scores: dict[str, Any], key: str) -> dict[str, Any]:
    ends = {end: scores.get(f"{key}_{end}") for end in ("low", "high", "std", "why")}
    if key.startswith(CORRELATIONS):  # without estimates there is one reason for all
        ends["why"] = ends["why"] or scores.get("concreteness_prediction_mae_why")
    return {"value": scores.get(key), "n": scores.get(f"{key}_n"), **ends}
