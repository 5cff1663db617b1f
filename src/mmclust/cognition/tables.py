"""What the `cognition` stage writes for plots and for the report."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.cognition.associations import read_strengths
from mmclust.core.io import write_bytes, write_table
from mmclust.core.words import UNKNOWN
from mmclust.scoring.categorization import METRICS, VARIANTS
from mmclust.scoring.concreteness import THRESHOLDS
from mmclust.scoring.summary import rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from mmclust.core.words import WordClusters
    from mmclust.scoring.record import Record

Array = np.ndarray[Any, Any]

SCORES = ("score", "value", "low", "high")
RATED = ("word", "count", "rating", "estimate")


def write_tables(
    root: Path,
    model: str,
    learned: WordClusters,
    record: Record,
    categories: Mapping[str, str],
    ratings: Mapping[str, float],
    estimated: Array | None,
    norms: Path,
    counting: str,
    listed: Sequence[str],
) -> None:
    """Write the tables of one model; clusters are those of its first seed.

    Parameters
    ----------
    root, model
        Written: ``plots/cognition/scores/<model>.csv`` (where there is an interval),
        ``…/concreteness/<model>.csv``, and in
        ``data/cognition/<model>``: ``words.parquet`` (word, count, cluster, category,
        listed, rating, estimate; of the norms' words) and ``associations.parquet``
        (first, second, strength, cluster; pairs of listed words of one cluster that
        the norms have).
    learned, record
        The words and their metrics.
    categories, ratings
        The norms.
    estimated
        float64 (s, v): concreteness, where there is any.
    norms, counting
        See :func:`mmclust.cognition.associations.read_strengths`.
    listed
        The word list, sorted.
    """
    parts = [("categorization", variant, m) for variant in VARIANTS for m in METRICS]
    parts += [("concreteness", "", f"prediction_correlation_over_{m}")
              for m in THRESHOLDS]  # fmt: skip
    scores = []
    for view, method, metric in [*parts, ("association", "", "coverage")]:
        score = record.get((model, view, method), metric)
        # Too few words for an interval: a point of no meaning in a plot of scores.
        if score is None or score.mean is None or score.low is None:
            continue
        name = f"{method}_{metric}" if method else metric
        values = (score.mean, score.low, score.high)
        scores.append((name, *map(rounded, values)))
    plots = root / "plots/cognition"
    _write_csv(plots / "scores" / f"{model}.csv", SCORES, scores)
    means = None if estimated is None else estimated.mean(0)
    rows = [
        (word, int(count), ratings[word], round(float(means[i]), 6))
        for i, (word, count) in enumerate(
            zip(learned.words, learned.counts, strict=True)
        )
        if means is not None and word in ratings
    ]
    _write_csv(plots / "concreteness" / f"{model}.csv", RATED, rows)
    out = root / "data/cognition" / model
    _write_words(out / "words.parquet", learned, categories, ratings, means, listed)
    _write_pairs(out / "associations.parquet", learned, norms, counting, listed)


def write_nothing(plots: Path) -> None:
    """Write tables without rows, where no model learns: DVC asks for the folders."""
    _write_csv(plots / "scores/none.csv", SCORES, ())
    _write_csv(plots / "concreteness/none.csv", RATED, ())


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Any]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())


def _write_words(
    path: Path,
    learned: WordClusters,
    categories: Mapping[str, str],
    ratings: Mapping[str, float],
    means: Array | None,
    listed: Sequence[str],
) -> None:
    import pyarrow as pa

    known = [i for i, w in enumerate(learned.words) if w in categories or w in ratings]
    words = [learned.words[i] for i in known]
    chosen = set(listed)
    clusters = learned.clusters[0][known]
    columns = {
        "word": pa.array(words, pa.string()),
        "count": pa.array(learned.counts[known], pa.int64()),
        "cluster": pa.array(clusters, pa.int32(), mask=clusters == UNKNOWN),
        "category": pa.array([categories.get(w) for w in words], pa.string()),
        "listed": pa.array([w in chosen for w in words], pa.bool_()),
        "rating": pa.array([ratings.get(w) for w in words], pa.float64()),
        "estimate": pa.array(
            [None] * len(words) if means is None else means[known], pa.float64()
        ),
    }
    write_table(path, pa.table(columns), {"model": learned.meta.get("model")})


def _write_pairs(
    path: Path,
    learned: WordClusters,
    norms: Path,
    counting: str,
    listed: Sequence[str],
) -> None:
    import pyarrow as pa

    table = read_strengths(norms, listed, counting)
    cluster = dict(zip(learned.words, learned.clusters[0].tolist(), strict=True))
    numbers = np.array([cluster[word] for word in listed], np.int32)
    first, second = table.pairs.T
    same = (numbers[first] == numbers[second]) & (numbers[first] != UNKNOWN)
    names = np.array(listed, dtype=object)
    columns = {
        "first": pa.array(names[first[same]], pa.string()),
        "second": pa.array(names[second[same]], pa.string()),
        "strength": pa.array(table.strengths[same], pa.float64()),
        "cluster": pa.array(numbers[first[same]], pa.int32()),
    }
    write_table(path, pa.table(columns), table.facts)
