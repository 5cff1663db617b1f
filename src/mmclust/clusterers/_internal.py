"""Label-free scores of everything that was clustered, and the silhouette over k."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.clusterers._runs import BOTH, Rows
from mmclust.core.io import write_bytes
from mmclust.core.seeds import generator
from mmclust.scoring.label_free import (
    CRITERION,
    DEFINITION,
    Choice,
    distances,
    internal_scores,
    sample_rows,
)
from mmclust.scoring.record import Score, path_of, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.core.clusters import Clustering

UNDEFINED = dict.fromkeys(
    ("silhouette", "davies_bouldin", "calinski_harabasz"),
    "fewer than two clusters, or as many as images",
) | {"stability": "one run, or no two runs with images in common"}
HEAD = ["encoder", "view", "k", "metric", "score", "chosen", "images"]


def write_internal(
    root: Path,
    benchmark: str,
    encoder: str,
    clusterings: Sequence[Clustering],
    views: Mapping[str, Rows],
    choice: Choice | None,
    *,
    seed: int,
) -> None:
    """Score every clustering without labels and write the scores."""
    scored = _scores(clusterings, views, seed)
    first: dict[tuple[str, str], tuple[Clustering, dict[str, Any]]] = {}
    for one, values in zip(clusterings, scored, strict=True):
        first.setdefault((one.view, one.clusterer), (one, values))
    rows_of_record = [
        Score(
            encoder, one.view, one.clusterer, metric, value, k=one.k,
            n_seeds=len(one.labels), definition=DEFINITION,
            note="" if value is not None else UNDEFINED[metric],
        )
        for one, values in first.values()
        for metric, value in values.items()
    ]  # fmt: skip
    if choice is not None:
        chosen = {"chosen_k": choice.k, "chosen_k_at_edge": choice.at_edge}
        rows_of_record += [
            Score(encoder, "", "", metric, float(value), note=CRITERION)
            for metric, value in chosen.items()
        ]
    write(path_of(root, "cluster", benchmark, encoder), rows_of_record)
    if choice is None:
        rows = _sweep(encoder, clusterings, scored)
    else:
        view = "concat" if "concat" in views else next(iter(views))
        rows = [
            [encoder, view, k, "silhouette", round(score, 6), int(k == choice.k), "fit"]
            for k, score in choice.curve
        ]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([HEAD, *rows])
    out = root / "plots/auto_k" / f"{benchmark}_{encoder}.csv"
    write_bytes(out, buffer.getvalue().encode())


def _scores(
    clusterings: Sequence[Clustering], views: Mapping[str, Rows], seed: int
) -> list[dict[str, Any]]:
    n_samples = clusterings[0].labels.shape[1]
    sample = sample_rows(n_samples, generator(seed, "silhouette"))
    apart: dict[str, np.ndarray[Any, Any]] = {}
    scored = []
    for one in clusterings:
        # Two views taken separately are judged side by side.
        view = "concat" if one.view == BOTH else one.view
        rows = np.asarray(views[view])
        if view not in apart:
            apart[view] = distances(rows[sample])
        scored.append(
            internal_scores(rows, one.labels, sample=sample, apart=apart[view])
        )
    return scored


def _sweep(
    encoder: str, clusterings: Sequence[Clustering], scored: Sequence[dict[str, Any]]
) -> list[list[Any]]:
    """Return the silhouettes of one method over k: k-means, or the first."""
    names = [one.clusterer for one in clusterings]
    name = "kmeans" if "kmeans" in names else names[0]
    rows = []
    for one, score in zip(clusterings, scored, strict=True):
        if one.clusterer == name and score["silhouette"] is not None:
            value = round(score["silhouette"], 6)
            rows.append([encoder, one.view, one.k, "silhouette", value, 0, "evaluated"])
    return sorted(rows)
